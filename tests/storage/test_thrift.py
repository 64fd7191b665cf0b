"""Structs are written as they were read, and what is none of them is told, however it was made."""

import pyarrow as pa
import pytest

from storage.thrift import (
    BROKEN,
    I32,
    I64,
    LIST,
    STRUCT,
    Value,
    find_end,
    list_numbers,
    list_structs,
    list_values,
    read_bytes,
    read_int,
    read_number,
    read_numbers,
    read_struct,
    read_truth,
)
from tests.support.builders import parquet
from transforms.formats.thrift_writing import make_int, make_list, write_struct

# Seven bits a byte, with one more to follow, and the last one.
_MORE, _LAST = b"\xff", b"\x01"


def footer_of(table: pa.Table) -> bytes:
    content = parquet(table)
    length = int.from_bytes(content[-8:-4], "little")
    return content[-8 - length : -8]


def test_a_footer_is_written_as_it_was_read() -> None:
    columns = {f"column {number}": [number, None] for number in range(20)}
    footer = footer_of(pa.table({**columns, "text": ["a", "b"], "flag": [True, False]}))
    fields, end = read_struct(footer)
    assert end == len(footer)
    assert write_struct(fields) == footer
    groups = [write_struct(group) for group in list_structs(fields[4])]
    assert make_list(STRUCT, groups) == fields[4]
    assert read_int(fields[3]) == 2
    names = [read_bytes(leaf[4]) for leaf in list_structs(fields[2])[1:]]
    assert names == [*(name.encode() for name in columns), b"text", b"flag"]


@pytest.mark.parametrize("number", [0, 1, -1, 63, -64, 64, 300, 2**31 - 1, 2**63 - 1, -(2**63)])
def test_a_number_is_read_as_it_was_written(number: int) -> None:
    stored = write_struct({7: make_int(number), 3: make_int(5, I32), 900: make_int(number)})
    fields, end = read_struct(b"before" + stored + b"behind", len(b"before"))
    assert [(field, read_int(value)) for field, value in fields.items()] == [
        (3, 5),
        (7, number),
        (900, number),
    ]
    assert end == len(b"before") + len(stored)
    assert fields[3].kind == I32


def test_numbers_are_those_of_the_fields_and_of_structs_inside() -> None:
    inner = Value(STRUCT, write_struct({2: make_int(-7), 3: make_int(9, I32)}))
    listed = make_list(I64, [make_int(5).stored])
    stored = write_struct({1: make_int(300), 2: inner, 3: listed, 400: make_int(2)})
    own, structs, end = read_numbers(stored)
    assert own == {1: 300, 400: 2}
    assert structs[2].own == {2: -7, 3: 9}
    assert end == len(stored)
    for length in range(len(stored)):
        with pytest.raises(BROKEN):
            read_numbers(stored[:length])
    with pytest.raises(ValueError, match="too deep"):
        read_numbers(b"\x1c" * 10_000)
    assert list_numbers(make_list(STRUCT, [stored, stored])) == [own, own]
    with pytest.raises(ValueError, match="no structs"):
        list_numbers(listed)


def test_a_list_of_many_items_says_how_many() -> None:
    for count in (0, 14, 15, 200):
        items = [make_int(number).stored for number in range(count)]
        listed = make_list(I64, items)
        assert [read_int(item) for item in list_values(listed)] == list(range(count))


def test_truth_values_of_a_list_have_a_byte_each() -> None:
    # As most writers have them, and as some older ones do.
    for kind in (1, 2):
        items = list_values(Value(LIST, bytes([3 * 16 + kind, 1, 2, 0])))
        assert [read_truth(item) for item in items] == [True, False, False]
    with pytest.raises(ValueError, match="no truth value"):
        read_truth(list_values(Value(LIST, bytes([16 + 1, 3])))[0])


def test_a_struct_that_is_cut_is_none() -> None:
    stored = footer_of(pa.table({"a": [1.5], "b": ["x"]}))
    for length in range(len(stored)):
        with pytest.raises(BROKEN):
            read_struct(stored[:length])


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        pytest.param(8, b"\x7f" + b"x" * 10, id="a text that is longer than all there is"),
        pytest.param(9, b"\xf5" + _MORE * 8 + _LAST + b"x", id="a list of more items than bytes"),
        pytest.param(6, _MORE * 100_000 + _LAST, id="a number of very many bytes"),
        pytest.param(12, b"\x1c" * 10_000, id="structs inside structs"),
        pytest.param(9, b"\x19" * 10_000, id="lists inside lists"),
        pytest.param(7, b"x" * 7, id="half a float"),
        pytest.param(3, b"", id="no byte"),
        pytest.param(11, b"\x00", id="a map, of which Parquet has none"),
        pytest.param(0, b"\x00", id="no type"),
    ],
)
def test_no_length_is_believed(kind: int, stored: bytes) -> None:
    with pytest.raises(BROKEN):
        find_end(stored, 0, kind)


def test_a_value_of_another_type_is_told() -> None:
    text = Value(8, b"\x01x")
    number = make_int(3)
    for read, value in ((read_int, text), (read_bytes, number), (list_values, number)):
        with pytest.raises(ValueError, match="type"):
            read(value)


def test_a_number_ends_with_its_last_byte() -> None:
    assert read_number(b"x\x80\x01y", 1) == (128, 3)
