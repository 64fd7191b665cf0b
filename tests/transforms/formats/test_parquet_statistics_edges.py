"""What a footer's statistics say where they are partly there, of columns inside others, and of odd types."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.transforms.formats.bounds import list_bounds
from transforms.formats.parquet import ParquetFormat


def write(path: Path, rows: pa.Table, **options: Any) -> str:
    pq.write_table(rows, path, **options)
    return str(path)


def test_bounds_are_told_row_group_by_row_group(tmp_path: Path) -> None:
    rows = pa.table({"a": [1, 5, None, None, 9], "b": ["x", "y", "z", None, "w"]})
    url = write(tmp_path / "p", rows, row_group_size=2)
    groups = list_bounds(url, pa.schema([("b", pa.string()), ("a", pa.int64())]))
    assert [group.rows for group in groups] == [2, 2, 1]
    found = []
    for group in groups:
        bounds = group.bounds["a"]
        ends = [None if end is None else end.as_py() for end in (bounds.least, bounds.most)]
        found.append((*ends, bounds.may_be_null, bounds.may_be_value))
    assert found == [
        (1, 5, False, True),
        (None, None, True, False),
        (9, 9, False, True),
    ]
    assert [group.bounds["b"].least.as_py() for group in groups if group.bounds["b"].least] == [
        "x",
        "z",
        "w",
    ]


def test_one_null_among_values_is_told(tmp_path: Path) -> None:
    url = write(tmp_path / "p", pa.table({"a": [1, None]}))
    (group,) = list_bounds(url, pa.schema([("a", pa.int64())]))
    assert (group.bounds["a"].may_be_null, group.bounds["a"].may_be_value) == (True, True)
    assert ParquetFormat().count_nulls(url, ["a"]) == {"a": 1}


def test_only_columns_whose_values_are_those_of_rows_have_bounds(tmp_path: Path) -> None:
    rows = pa.table({"lists": [[1], [2]], "pair": [{"a": 1}, {"a": 2}], "b.c": [7, 8]})
    (group,) = list_bounds(write(tmp_path / "p", rows), rows.schema)
    assert list(group.bounds) == ["b.c"]
    assert group.bounds["b.c"].least == pa.scalar(7)


@pytest.mark.parametrize("names", [["pair.b", "pair"], ["pair", "pair.b"]])
def test_a_column_that_is_called_as_one_inside_another_has_no_bounds(
    names: list[str], tmp_path: Path
) -> None:
    """Those of the other one would leave out rows that pass."""
    columns = {"pair.b": [7, 8], "pair": [{"b": 100}, {"b": 200}]}
    rows = pa.table({name: columns[name] for name in names})
    url = write(tmp_path / "p", rows)
    (group,) = list_bounds(url, pa.schema([("pair.b", pa.int64())]))
    assert group.bounds == {}


def test_a_repeated_leaf_that_is_called_as_its_column_has_no_bounds(tmp_path: Path) -> None:
    """As old writers store lists: a repeated number without anything around it."""
    url = write(tmp_path / "p", pa.table({"a": [[1], [2]]}))
    metadata = pq.read_metadata(url)
    leaf = metadata.schema.column(0)
    assert (leaf.path != "a", leaf.max_repetition_level) == (True, 1)
    (group,) = list_bounds(url, pa.schema([("a", pa.list_(pa.int64()))]))
    assert group.bounds == {}


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([True, False], pa.bool_()),
        ([1, 2], pa.uint32()),
        ([1, 2], pa.decimal128(5)),
        ([b"a", b"b"], pa.binary()),
        ([1, 2], pa.time64("us")),
    ],
)
def test_of_types_whose_order_is_not_known_for_sure_there_are_no_bounds(
    values: list[Any], dtype: pa.DataType, tmp_path: Path
) -> None:
    url = write(tmp_path / "p", pa.table({"a": pa.array(values, dtype)}))
    (group,) = list_bounds(url, pa.schema([("a", dtype)]))
    assert (group.bounds["a"].least, group.bounds["a"].most) == (None, None)
    # How many are missing is known all the same.
    assert not group.bounds["a"].may_be_null


@pytest.mark.parametrize("dtype", [pa.int8(), pa.int64(), pa.float16(), pa.float64()])
def test_numbers_of_every_width_have_bounds(dtype: pa.DataType, tmp_path: Path) -> None:
    rows = pa.table({"a": pa.array([1, 2], pa.int8()).cast(dtype)})
    (group,) = list_bounds(write(tmp_path / "p", rows), rows.schema)
    bounds = group.bounds["a"]
    # pyarrow gives the bytes of a half as such, which tell nothing here.
    expected = (None, None) if dtype == pa.float16() else (1, 2)
    ends = [None if end is None else end.as_py() for end in (bounds.least, bounds.most)]
    assert tuple(ends) == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_moments_have_bounds_in_every_unit(unit: str, zone: str | None, tmp_path: Path) -> None:
    dtype = pa.timestamp(unit, zone)
    moments = pa.array([7, 3], pa.int64()).cast(dtype)
    rows = pa.table({"a": moments})
    (group,) = list_bounds(write(tmp_path / "p", rows), rows.schema)
    assert group.bounds["a"].least == moments[1]
    assert group.bounds["a"].most == moments[0]


def test_one_end_that_does_not_fit_takes_the_other_with_it(tmp_path: Path) -> None:
    small = pa.schema([("a", pa.int8())])
    for values in ([1, 300], [-300, 1]):
        url = write(tmp_path / "p", pa.table({"a": pa.array(values, pa.int64())}))
        (group,) = list_bounds(url, small)
        assert (group.bounds["a"].least, group.bounds["a"].most) == (None, None)


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([{"a": 1}, {"a": 2}], 0),
        ([{"a": 1}, {"a": None}], None),
        ([{"a": 1}, None], None),
    ],
)
def test_nulls_inside_a_column_are_counted_where_there_are_none(
    rows: list[Any], count: int | None, tmp_path: Path
) -> None:
    url = write(tmp_path / "p", pa.table({"s": rows}))
    assert ParquetFormat().count_nulls(url, ["s"]) == {"s": count}


def test_a_row_group_without_rows_hides_no_count(tmp_path: Path) -> None:
    rows = pa.table({"a": [1, None, 3]})
    with pq.ParquetWriter(tmp_path / "p", rows.schema) as writer:
        writer.write_table(rows)
        writer.write_table(rows.slice(0, 0))
        writer.write_table(rows)
    url = str(tmp_path / "p")
    assert pq.read_metadata(url).num_row_groups == 3
    assert ParquetFormat().count_nulls(url, ["a"]) == {"a": 2}
