"""What a job may say of a table that has a log, and what of other files."""

from typing import Any

import pytest

from configs.table_choice import check_table_fields

NOTHING: dict[str, Any] = {
    "paths": ("t",),
    "partitions": None,
    "version": None,
    "snapshot": None,
    "ref": None,
    "timestamp": None,
    "catalog": None,
    "outside": (),
}


@pytest.mark.parametrize(
    ("format", "said"),
    [
        ("delta", {}),
        # The first version of a table is called 0.
        ("delta", {"version": 0}),
        ("delta", {"timestamp": "2026-01-01", "outside": ("a",)}),
        ("iceberg", {"snapshot": 7, "catalog": "c"}),
        ("iceberg", {"ref": "main"}),
        ("parquet", {"paths": ("a", "b"), "partitions": {"dt": "date"}}),
    ],
)
def test_what_goes_together(format: str, said: dict[str, Any]) -> None:
    check_table_fields(format, NOTHING | said)


@pytest.mark.parametrize(
    ("format", "said", "told"),
    [
        ("delta", {"version": 0, "timestamp": "t"}, "version and timestamp choose a version each"),
        ("iceberg", {"snapshot": 7, "ref": "r"}, "snapshot and ref choose a version each"),
        ("delta", {"snapshot": 7}, "a source of format delta has none; say format: iceberg, or"),
        ("parquet", {"version": 0}, "a source of format parquet has none; say format: delta, or"),
        ("csv", {"timestamp": "t"}, "say format: delta or iceberg, or leave it out"),
        ("csv", {"outside": ("a",)}, "say format: delta or iceberg, or leave it out"),
        ("delta", {"paths": ("a", "b")}, "format delta reads one table; name one in paths"),
        ("delta", {"paths": ()}, "format delta reads one table; name one in paths"),
        ("iceberg", {"partitions": {}}, "a table's log tells them; leave it out"),
    ],
)
def test_what_does_not_go_together(format: str, said: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_table_fields(format, NOTHING | said)
