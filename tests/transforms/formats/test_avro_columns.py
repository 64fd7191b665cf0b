"""Values of Avro as columns: what fits at the very ends of each type, and what is told of the rest."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from transforms.formats.avro_columns import make_column
from transforms.formats.avro_types import AvroField, AvroType

DAY_SECONDS = 24 * 60 * 60


def make(type_: AvroType, values: list[Any]) -> tuple[list[Any], dict[int, str]]:
    """Return what the values become, and what is told of those that become nothing."""
    column, reasons = make_column(AvroField("c", type_), values)
    assert column.type == type_.arrow
    column.validate(full=True)
    told = {position: str(reason) for position, reason in reasons.items()}
    return column.to_pylist(), told


@pytest.mark.parametrize(
    ("arrow", "units"),
    [
        (pa.time32("s"), 1),
        (pa.time32("ms"), 1_000),
        (pa.time64("us"), 1_000_000),
        (pa.time64("ns"), 1_000_000_000),
    ],
)
def test_a_time_is_within_a_day(arrow: pa.DataType, units: int) -> None:
    last = DAY_SECONDS * units - 1
    type_ = AvroType("int", "int", 1, arrow)
    column, reasons = make_column(AvroField("c", type_), [0, last, None, -1, last + 1])
    stored = column.view(pa.int32() if units < 10_000 else pa.int64()).to_pylist()
    assert stored == [0, last, None, None, None]
    told = {position: str(reason) for position, reason in reasons.items()}
    assert told == dict.fromkeys((3, 4), "column 'c': a time is not within a day")


@pytest.mark.parametrize(
    ("arrow", "most"), [(pa.int32(), 2**31 - 1), (pa.int64(), 2**63 - 1), (pa.date32(), None)]
)
def test_a_number_that_is_too_long_costs_its_row(arrow: pa.DataType, most: int | None) -> None:
    type_ = AvroType("long", "long", 1, arrow)
    values = [1, 2**70, None]
    made, told = make(type_, values)
    assert made[1:] == [None, None]
    assert told == {1: "column 'c': a value is no long"}
    if most is not None:
        assert make(type_, [most, -most - 1]) == ([most, -most - 1], {})


def test_a_text_that_is_not_utf8_costs_its_row() -> None:
    type_ = AvroType("string", "string", 1, pa.string(), conversion="text")
    assert make(type_, ["ä".encode(), None, b""]) == (["ä", None, ""], {})
    made, told = make(type_, [b"\xff", None, b"a"])
    assert made == [None, None, "a"]
    assert told == {0: "column 'c': a text is not UTF-8"}


def test_a_symbol_has_a_number_of_its_schema() -> None:
    type_ = AvroType("enum", "enum", 1, pa.string(), conversion="enum", symbols=("a", "b"))
    made, told = make(type_, [0, 1, None, -1, 2])
    assert made == ["a", "b", None, None, None]
    assert told == dict.fromkeys((3, 4), "column 'c': an enum has a symbol that its schema lacks")


@pytest.mark.parametrize("arrow", [pa.decimal128(3, 1), pa.decimal256(60, 1)])
def test_a_decimal_has_as_many_digits_as_its_type(arrow: pa.DataType) -> None:
    type_ = AvroType("bytes", "bytes", 1, arrow, conversion="decimal")
    most = 10**arrow.precision - 1
    numbers = [most, -most, 0, most + 1, -most - 1]
    values: list[bytes | None] = [number.to_bytes(40, "big", signed=True) for number in numbers]
    made, told = make(type_, [*values, None])
    # By their digits: to scale such a number would round it.
    assert made == [Decimal(f"{number}e-1") for number in numbers[:3]] + [None] * 3
    problem = f"column 'c': a decimal has more than {arrow.precision} digits"
    assert told == dict.fromkeys((3, 4), problem)


def test_a_uuid_is_its_text() -> None:
    uuid = UUID(int=7)
    type_ = AvroType("fixed", "fixed", 16, pa.string(), conversion="uuid")
    assert make(type_, [uuid.bytes, None]) == ([str(uuid), None], {})


@pytest.mark.parametrize("place", [0, 3, 4])
def test_a_list_with_an_item_that_is_none_costs_its_row_alone(place: int) -> None:
    text = AvroType("string", "string", 1, pa.string(), conversion="text")
    type_ = AvroType("array", "array", 1, pa.list_(pa.string()), conversion="list", items=(text,))
    lists: list[Any] = [[b"a"], [], None, [b"b", b"c"], [b"d"]]
    expected: list[Any] = [["a"], [], None, ["b", "c"], ["d"]]
    assert make(type_, lists) == (expected, {})
    lists[place] = [*lists[place][:-1], b"\xff"]
    expected[place] = None
    made, told = make(type_, lists)
    assert made == expected
    assert told == {place: "column 'c': a text is not UTF-8"}
