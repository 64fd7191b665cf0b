"""What footers say of missing values, added up over the shards; `test_dry_run.py` reads real ones."""

from types import SimpleNamespace
from typing import Any

import pytest

from configs.errors import InputError
from pipelines.scoring.missing_values import (
    Missing,
    _Counted,
    _list_policies,
    count_rejected_at_least,
    describe_missing,
    refuse_missing,
)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([0, 0, 0], (0, None, 0)),
        ([0, 7, 2], (9, "1", 0)),
        ([3, 0, 0], (3, "0", 0)),
        # A footer that does not tell is another thing than one without missing values.
        ([None, 0, 0], (0, None, 1)),
        ([None, 4, None], (4, "1", 2)),
        ([None, None, None], (0, None, 3)),
    ],
)
def test_rows_are_added_up_and_shards_that_do_not_tell_are_counted(
    counts: list[int | None], expected: tuple[int, str | None, int]
) -> None:
    found = _Counted()
    for number, count in enumerate(counts):
        found.add(str(number), count)
    assert (found.rows, found.first, found.untold) == expected


@pytest.mark.parametrize(
    ("key", "policies"),
    [
        (None, {"a": "reject", "b": "fill"}),
        ("id", {"a": "reject", "b": "fill", "id": "key"}),
        # The contract's word comes first, where the model sees the key, too.
        ("b", {"a": "reject", "b": "fill"}),
    ],
)
def test_a_key_is_looked_at_beside_the_columns(key: str | None, policies: dict[str, str]) -> None:
    contract = [SimpleNamespace(name=n, missing=m) for n, m in (("a", "reject"), ("b", "fill"))]
    job = SimpleNamespace(source=SimpleNamespace(key=key))
    plan: Any = SimpleNamespace(contract=contract, job=job)
    assert _list_policies(plan) == policies


WHOLE = Missing("w", "reject", 0, None, 0)
UNTOLD = Missing("u", "reject", 0, None, 2)
REJECTED = Missing("r", "reject", 5, "s/1", 0)
MORE = Missing("m", "reject", 9, "s/2", 1)
ENDING = Missing("e", "error", 1, "s/3", 0)
FILLED = Missing("f", "fill", 99, "s/4", 0)


def test_each_column_is_told_once() -> None:
    lines = describe_missing([WHOLE, UNTOLD, REJECTED], 3).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("r: 5 rows would be rejected")
    assert lines[1:] == ["none in 1 of 3 columns", "u: not told by 2 of 3 shards"]
    alike = [Missing(f"c{number}", "reject", 0, None, 3) for number in range(7)]
    assert describe_missing(alike, 3) == "c0, c1, c2, c3, c4 and 2 more: not told by 3 of 3 shards"
    assert describe_missing(alike[:5], 3) == "c0, c1, c2, c3, c4: not told by 3 of 3 shards"


@pytest.mark.parametrize(
    ("found", "rows"),
    [([], 0), ([WHOLE, FILLED, ENDING], 0), ([REJECTED, MORE, FILLED], 9), ([MORE, REJECTED], 9)],
)
def test_rows_of_one_column_are_rejected_for_certain(found: list[Missing], rows: int) -> None:
    assert count_rejected_at_least(found) == rows


def test_what_would_end_the_run_is_refused() -> None:
    refuse_missing([WHOLE, UNTOLD, REJECTED, FILLED, Missing("e", "error", 0, None, 2)])
    with pytest.raises(InputError, match=r"^s/3: column 'e' has missing values, in 1 rows"):
        refuse_missing([FILLED, ENDING])
