"""What a footer begins with is the same for the same columns alone, whatever rows a file has."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.support.builders import parquet
from transforms.formats.parquet_prefix import FileEnd, find_end_of_columns

ROWS = 2
COLUMNS = {
    "number": pa.array([1, 2]),
    "text": pa.array(["a", "b"]),
    "flag": pa.array([True, False]),
    "moment": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * ROWS, pa.timestamp("us", "UTC")),
    "price": pa.array([Decimal("1.25")] * ROWS, pa.decimal128(9, 2)),
    "list": pa.array([[1.0], []]),
    "struct": pa.array([{"x": 1, "y": "a"}] * ROWS),
    "map": pa.array([[("k", 1)]] * ROWS, pa.map_(pa.string(), pa.int8())),
}
# As the compact protocol has it: field 3, a number of 64 bits, which is the rows.
ROWS_FIELD = 0x16


def footer_of(table: pa.Table) -> bytes:
    content = parquet(table)
    length = int.from_bytes(content[-8:-4], "little")
    return content[-8 - length : -8]


@pytest.mark.parametrize("names", [[name] for name in COLUMNS] + [list(COLUMNS)])
@pytest.mark.parametrize("repeated", [1, 30])
def test_behind_the_columns_come_the_rows(names: list[str], repeated: int) -> None:
    columns = {f"{name}{n}": COLUMNS[name] for name in names for n in range(repeated)}
    footer = footer_of(pa.table(columns))
    end = find_end_of_columns(footer)
    assert end is not None
    assert footer[end] == ROWS_FIELD
    # Twice the number, as Thrift keeps one with a sign.
    assert footer[end + 1] == 2 * ROWS


def test_other_rows_change_nothing_before_and_other_columns_do() -> None:
    first = footer_of(pa.table({"a": [1], "b": ["x"]}))
    end = find_end_of_columns(first)
    assert end is not None
    assert footer_of(pa.table({"a": [5, 6], "b": ["y", "z"]})).startswith(first[:end])
    others = [
        {"a": [1], "c": ["x"]},
        {"a": [1.5], "b": ["x"]},
        {"b": ["x"], "a": [1]},
        {"a": [1], "b": ["x"], "c": [1]},
        {"a": [1]},
    ]
    for columns in others:
        assert not footer_of(pa.table(columns)).startswith(first[:end])


def test_what_begins_otherwise_has_no_such_place() -> None:
    footer = footer_of(pa.table({"a": [1]}))
    end = find_end_of_columns(footer)
    assert end is not None
    # Not the version first, not the columns behind it, a type that no column has, and cut in between.
    assert find_end_of_columns(b"\x25" + footer[1:]) is None
    assert find_end_of_columns(footer[:2] + b"\x29" + footer[3:]) is None
    assert find_end_of_columns(footer[:4] + b"\x1b" + footer[5:]) is None
    for cut in range(end - 1):
        assert find_end_of_columns(footer[:cut]) is None


def test_a_footer_that_is_all_there_is_has_columns_and_one_that_is_cut_has_none() -> None:
    footer = footer_of(pa.table({"a": [1]}))
    end = find_end_of_columns(footer)
    whole = footer + len(footer).to_bytes(4, "little") + b"PAR1"
    for before in (b"", b"rows"):
        assert FileEnd("a.parquet", before + whole).has_columns(footer[:end])
    assert not FileEnd("a.parquet", whole[1:]).has_columns(footer[1:end])


def test_a_number_of_64_bits_is_passed_over() -> None:
    # A list of one struct, whose first field is a double.
    columns = bytes([0x15, 0x02, 0x19, 0x1C, 0x17, *range(1, 9), 0x00])
    assert find_end_of_columns(columns + b"rows") == len(columns)
