"""Files of one sample that have their columns in several forms."""

import pyarrow as pa
import pytest

from configs.errors import InputError
from pipelines.packing.sample.schemas import to_one_schema


def table(dtype: pa.DataType, name: str = "x") -> pa.Table:
    return pa.table({name: pa.array([None], dtype)})


@pytest.mark.parametrize(
    ("types", "joined"),
    [
        ([pa.int64(), pa.int64()], pa.int64()),
        ([pa.string(), pa.large_string()], pa.large_string()),
        ([pa.decimal128(5, 2), pa.decimal128(9, 2)], pa.decimal128(9, 2)),
        ([pa.timestamp("ms"), pa.timestamp("us")], None),
        (
            [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())],
            pa.large_string(),
        ),
    ],
)
def test_one_type_holds_what_all_files_have(
    types: list[pa.DataType], joined: pa.DataType | None
) -> None:
    tables = to_one_schema([table(dtype) for dtype in types])
    found = {one.schema.field("x").type for one in tables}
    assert len(found) == 1
    assert len(tables) == len(types)
    if joined is not None:
        assert found == {joined}


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ([table(pa.string())], "differ in column 'x': it is int64, string, or missing"),
        ([table(pa.int64(), "y")], "differ in column 'x': it is int64, or missing"),
        ([table(pa.string()), table(pa.int64())], "differ in column 'x': it is int64, string"),
        (
            [table(pa.int64()).append_column("z", [[1]]).append_column("b", [[1]])],
            "'b' is not in the first",
        ),
        (
            [pa.Table.from_arrays([pa.array([1]), pa.array([1])], names=["x", "x"])],
            "a file has two columns of one name",
        ),
    ],
)
def test_files_that_differ_are_refused(others: list[pa.Table], told: str) -> None:
    with pytest.raises(InputError, match=told):
        to_one_schema([table(pa.int64()), *others])
