"""What a footer begins with is the same for the same columns alone, whatever rows a file has."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from storage.parquet_depth import find_end_of_columns
from tests.support.builders import parquet
from transforms.formats.parquet_prefix import FileEnd

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


# By the number of a type: values of it as an item of a list, in the compact protocol.
ITEMS = {
    1: [b"\x01", b"\x02"],
    2: [b"\x01"],
    3: [b"\x00", b"\xff"],
    4: [b"\x02", b"\x80\x01"],
    5: [b"\xff\xff\x03"],
    6: [b"\x80\x80\x80\x80\x01", b"\x00"],
    7: [b"12345678"],
    8: [b"\x00", b"\x05\x00\x00\x00\x00\x00", b"\x80\x01" + bytes(128)],
    # Lists and sets, of numbers and of truth values.
    9: [b"\x25\x02\x80\x01", b"\x31\x01\x01\x02"],
    10: [b"\x13\x07"],
    # Structs: without a field; of truth values, which take no byte more; of a text and a number whose
    # field is far behind the one before.
    12: [b"\x00", b"\x11\x12\x00", b"\x18\x01a\x05\x80\x02\x06\x00"],
}
REST = b"\x16\x04 and all that follows"


def list_of(kind: int, items: list[bytes]) -> bytes:
    count = len(items)
    head = bytes([16 * count + kind]) if count < 15 else bytes([16 * 15 + kind, count])
    return head + b"".join(items)


@pytest.mark.parametrize("count", [0, 1, 14, 15, 16, 40])
@pytest.mark.parametrize("kind", ITEMS)
def test_columns_of_any_type_are_passed_over_to_their_last_byte(kind: int, count: int) -> None:
    columns = list_of(kind, (ITEMS[kind] * count)[:count])
    begin = b"\x15\x02\x19" + columns
    assert find_end_of_columns(begin + REST) == len(begin)


@pytest.mark.parametrize("kind", [0, 11, 13, 15])
def test_a_type_that_the_protocol_has_not_is_none(kind: int) -> None:
    assert find_end_of_columns(b"\x15\x02\x19" + list_of(kind, [b"\x00"]) + REST) is None


@pytest.mark.parametrize("footer_bytes", [0, 1, 70_000])
def test_a_file_says_how_long_its_footer_is(footer_bytes: int) -> None:
    end = FileEnd("a.parquet", b"rows" + footer_bytes.to_bytes(4, "little") + b"PAR1")
    assert end.footer_bytes == footer_bytes
