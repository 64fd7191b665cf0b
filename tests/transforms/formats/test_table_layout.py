"""Where a table's columns are in a data file: by number, by name, or in the log alone."""

from typing import Any

import pyarrow as pa
import pytest

from configs.errors import InputError
from transforms.formats.table_layout import find_values, lay_out
from transforms.lakes.snapshot import DataFile, TableColumn

FILE = DataFile("/t/a.parquet", {})


def numbered(name: str, number: int, dtype: pa.DataType | None = None) -> pa.Field:
    metadata = {b"PARQUET:field_id": str(number).encode()}
    return pa.field(name, dtype or pa.int64(), metadata=metadata)


def column(name: str, **more: Any) -> TableColumn:
    told = {"type": pa.int64(), "kind": "long", "stored_name": name, **more}
    return TableColumn(name, **told)


def places(layout: Any) -> dict[str, str]:
    return {name: field.name for name, (field, _) in layout.stored.items()}


def test_a_column_is_found_by_its_number_where_the_file_has_numbers() -> None:
    schema = pa.schema([numbered("a", 2), numbered("b", 1), pa.field("c", pa.int64())])
    columns = [column("a", field_id=1), column("b", field_id=2), column("c", field_id=3)]
    layout = lay_out(FILE, schema, columns)
    assert places(layout) == {"a": "b", "b": "a"}
    assert list(layout.lacking) == ["c"]


def test_without_numbers_the_table_says_what_files_call_it() -> None:
    schema = pa.schema([("older", pa.int64()), ("old", pa.int64())])
    named = column("a", field_id=1, names=("new", "old", "older"))
    assert places(lay_out(FILE, schema, [named])) == {"a": "old"}
    unknown = column("a", field_id=1)
    with pytest.raises(InputError, match="does not number its columns"):
        lay_out(FILE, schema, [unknown])


def test_a_column_without_a_number_is_found_by_its_stored_name() -> None:
    schema = pa.schema([("col-7", pa.int64()), ("a", pa.int64())])
    assert places(lay_out(FILE, schema, [column("a", stored_name="col-7")])) == {"a": "col-7"}


def test_the_logs_value_counts_before_the_files() -> None:
    schema = pa.schema([numbered("day", 1), ("n", pa.int64())])
    told = DataFile("/t/a.parquet", {"day": "7"})
    by_name = lay_out(told, schema, [column("day"), column("n")])
    assert (places(by_name), by_name.lacking["day"][1]) == ({"n": "n"}, "7")
    # Of one that files know by number it stands for files that lack it.
    assert places(lay_out(told, schema, [column("day", field_id=1)])) == {"day": "day"}


def test_some_plain_column_tells_how_many_rows_there_are() -> None:
    lists = pa.field("l", pa.list_(pa.int64()))
    layout = lay_out(FILE, pa.schema([lists, ("n", pa.int8())]), [column("a")])
    assert places(layout) == {"": "n"}
    with pytest.raises(InputError, match="has no plain column"):
        lay_out(FILE, pa.schema([lists]), [column("a")])


def test_one_number_is_one_column() -> None:
    with pytest.raises(InputError, match="gives two columns the number 1"):
        lay_out(FILE, pa.schema([numbered("a", 1), numbered("b", 1)]), [])


@pytest.mark.parametrize(
    ("actual", "fits"),
    [
        (pa.int64(), True),
        (pa.int8(), True),
        (pa.uint64(), False),
        (pa.string(), False),
        (pa.timestamp("us"), False),
    ],
)
def test_a_file_has_the_tables_type_or_a_narrower_one(actual: pa.DataType, fits: bool) -> None:
    schema = pa.schema([("a", actual)])
    if fits:
        assert places(lay_out(FILE, schema, [column("a")])) == {"a": "a"}
        return
    with pytest.raises(InputError, match="and int64 in its table, which does not hold"):
        lay_out(FILE, schema, [column("a")])


def test_moments_are_compared_later_and_what_is_not_read_is_refused() -> None:
    moments = column("a", type=pa.timestamp("us", "UTC"))
    schema = pa.schema([("a", pa.timestamp("ns"))])
    assert places(lay_out(FILE, schema, [moments])) == {"a": "a"}
    with pytest.raises(InputError, match="of its table is variant, which is not read"):
        lay_out(FILE, schema, [column("a", type=None, kind="variant")])


def test_what_a_file_lacks_has_the_logs_value_or_none() -> None:
    told = DataFile("/t/a.parquet", {"day": "7", "gone": None, "odd": "seven"})
    columns = [column(name) for name in ("day", "gone", "odd")]
    layout = lay_out(told, pa.schema([("n", pa.int64())]), columns)
    wanted = pa.schema([("day", pa.int32()), ("gone", pa.string())])
    values = find_values(layout, wanted)
    assert values["day"].equals(pa.array([7], pa.int32()))
    assert values["gone"].equals(pa.array([None], pa.string()))
    with pytest.raises(InputError, match="column 'odd': its value in the table's log is not of"):
        find_values(layout, pa.schema([("odd", pa.int64())]))
