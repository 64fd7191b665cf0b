"""Which columns are read, and what is known of each before any file is looked into."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from configs.errors import JobError
from pipelines.planning.columns import list_columns, plan_columns
from tests.pipelines.planning.cards import make_card, make_job
from transforms.formats.column import Column

SOURCE = {"key": "id", "passthrough": ["a", "t"], "types": {"t": "string", "b": "float"}}


def test_each_column_is_read_once_and_says_whose_it_is(tmp_path: Path) -> None:
    """Of the contract: a, b and c; carried: id, a and t; of a type that the job states: t and b."""
    job, card = make_job(tmp_path, source=SOURCE), make_card()
    assert list_columns(job, card) == ["a", "b", "c", "id", "t"]
    assert plan_columns(job, card, needs_types=False) == [
        Column("a", pa.float32(), castable=True, carried=True),
        Column("b", pa.float32(), castable=True, stated=True),
        Column("c", pa.float32(), castable=True),
        Column("id", None, carried=True),
        Column("t", pa.string(), carried=True, stated=True),
    ]


@pytest.mark.parametrize(
    ("types", "needs_types", "message"),
    [
        ({}, True, "source.types must declare the CSV column 'id'"),
        ({"id": "int64", "a": "double"}, True, "source.types.a is double, but the model's contract says float"),
        ({"id": "int64", "a": "float"}, True, None),
        ({}, False, None),
    ],
)  # fmt: skip
def test_types_are_asked_for_where_files_tell_none_and_never_contradict_the_contract(
    types: dict[str, Any], needs_types: bool, message: str | None, tmp_path: Path
) -> None:
    job = make_job(tmp_path, source={"key": "id", "types": types, "format": "csv"})
    if message is None:
        assert [c.name for c in plan_columns(job, make_card(), needs_types)] == [*"abc", "id"]
        return
    with pytest.raises(JobError) as refused:
        plan_columns(job, make_card(), needs_types)
    assert str(refused.value).startswith(message)
