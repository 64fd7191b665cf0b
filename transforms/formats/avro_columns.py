"""Values that Avro's rows hold, as columns: exactly, or with a reason for each row that has none.

What is decoded is what stands in the bytes: numbers, byte strings, lists of them. What they mean (a
date, a text, a symbol, a decimal) is put on whole columns here.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType
import pyarrow.compute as pc
from pyarrow.types import is_decimal256, is_temporal, is_time

from configs.errors import RowError
from transforms.formats.avro_types import AvroField, AvroType

# As they were decoded, with None for missing ones.
Values: TypeAlias = Sequence[Any]
# By position, why a value is none.
Reasons: TypeAlias = dict[int, Exception]
Problems: TypeAlias = dict[int, str]
# What pyarrow raises of a value that a type cannot hold.
_UNFIT = (pa.ArrowException, OverflowError, TypeError, ValueError)
# Of a decimal in memory.
_NARROW_BYTES = 16
_WIDE_BYTES = 32
_DAY_SECONDS = 86_400
_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class Made(NamedTuple):
    """A column, with null for the values that its type cannot hold, and by position why."""

    column: Array
    problems: Problems


def make_column(
    field: AvroField,
    values: Values,
) -> tuple[Array, Reasons]:
    """Return a column with null for the values that its type cannot hold, and why, by position.

    Args:
        field: the column.
        values: of its rows.
    """
    made = _make(field.type, values)
    reasons: Reasons = {}
    for position, problem in made.problems.items():
        reason = RowError(f"column {field.name!r}: {problem}")
        reasons[position] = reason
    return made.column, reasons


def _make(
    type_: AvroType,
    values: Values,
) -> Made:
    make = _CONVERSIONS[type_.conversion]
    return make(type_, values)


def _make_plain(
    type_: AvroType,
    values: Values,
) -> Made:
    """Return numbers, truth values and bytes, also those that count days or moments."""
    arrow = type_.arrow
    stored = _choose_stored(arrow)
    problems: Problems = {}
    try:
        column = pa.array(values, stored)
    # Only now value by value: Avro's numbers may be longer than the schema says.
    except _UNFIT:
        problem = f"a value is no {type_.name}"
        column, problems = _make_one_by_one(values, stored, problem)
    if is_time(arrow):
        column, late = _take_out_late(column, arrow)
        problems |= late
    if arrow != stored:
        column = column.view(arrow)
    return Made(column, problems)


def _choose_stored(arrow: DataType) -> DataType:
    """Return the type whose values are those that stand in the file."""
    if not is_temporal(arrow):
        return arrow
    # Days and milliseconds of a day are counted in an int.
    is_narrow = arrow.bit_width == 32
    return pa.int32() if is_narrow else pa.int64()


def _take_out_late(
    column: Array,
    arrow: DataType,
) -> Made:
    """Return times of a day without those that are of no day."""
    end = _DAY_SECONDS * _UNITS[arrow.unit]
    is_early = pc.less(column, 0)
    is_late = pc.greater_equal(column, end)
    is_wrong = pc.or_(is_early, is_late)
    return _take_out(column, is_wrong, "a time is not within a day")


def _make_texts(
    type_: AvroType,
    values: Values,
) -> Made:
    binary = pa.binary()
    text = pa.string()
    stored = pa.array(values, binary)
    try:
        return Made(stored.cast(text), {})
    # Only now value by value, as nearly every text is one.
    except pa.ArrowInvalid:
        return _decode_one_by_one(values)


def _decode_one_by_one(values: Values) -> Made:
    texts: list[str | None] = []
    problems = {}
    for position, value in enumerate(values):
        text = None
        try:
            if value is not None:
                text = value.decode()
        except UnicodeDecodeError:
            problems[position] = "a text is not UTF-8"
        texts.append(text)
    column = pa.array(texts, pa.string())
    return Made(column, problems)


def _make_symbols(
    type_: AvroType,
    values: Values,
) -> Made:
    text = pa.string()
    symbols = pa.array(type_.symbols, text)
    numbers = pa.array(values, pa.int64())
    count = len(symbols)
    is_negative = pc.less(numbers, 0)
    is_behind = pc.greater_equal(numbers, count)
    is_wrong = pc.or_(is_negative, is_behind)
    problem = "an enum has a symbol that its schema lacks"
    known, problems = _take_out(numbers, is_wrong, problem)
    column = symbols.take(known)
    return Made(column, problems)


def _make_decimals(
    type_: AvroType,
    values: Values,
) -> Made:
    """Return decimals of their digits, which are stored as one integer, the highest byte first."""
    arrow = type_.arrow
    precision = arrow.precision
    limit = 10**precision
    size = _WIDE_BYTES if is_decimal256(arrow) else _NARROW_BYTES
    parts = []
    problems = {}
    is_there = []
    for position, value in enumerate(values):
        number = 0
        fits = value is not None
        if fits:
            number = int.from_bytes(value, "big", signed=True)
        # One that is too long may not even fit into the memory of a decimal.
        if abs(number) >= limit:
            problems[position] = f"a decimal has more than {precision} digits"
            number = 0
            fits = False
        # As Arrow stores it.
        part = number.to_bytes(size, "little", signed=True)
        parts.append(part)
        is_there.append(fits)
    # A bit for each value.
    bits = np.packbits(is_there, bitorder="little")
    validity = pa.py_buffer(bits)
    content = pa.py_buffer(b"".join(parts))
    count = len(values)
    column = pa.Array.from_buffers(arrow, count, [validity, content])
    return Made(column, problems)


def _make_uuids(
    type_: AvroType,
    values: Values,
) -> Made:
    texts = []
    for value in values:
        text = None
        if value is not None:
            uuid = UUID(bytes=value)
            text = str(uuid)
        texts.append(text)
    column = pa.array(texts, pa.string())
    return Made(column, {})


def _make_lists(
    type_: AvroType,
    values: Values,
) -> Made:
    """Return lists, whose items are made as a column of their own."""
    (items,) = type_.items
    ends = [0]
    flat: list[Any] = []
    is_missing = []
    for value in values:
        missing = value is None
        is_missing.append(missing)
        if not missing:
            flat += value
        end = len(flat)
        ends.append(end)
    made = _make(items, flat)
    # A list that holds an item that is none is none itself.
    problems = {}
    offsets = np.array(ends, dtype=np.int32)
    for place, problem in made.problems.items():
        behind = np.searchsorted(offsets, place, side="right")
        row = int(behind) - 1
        problems[row] = problem
        is_missing[row] = True
    places = pa.array(offsets)
    mask = pa.array(is_missing, pa.bool_())
    lists = pa.ListArray.from_arrays(places, made.column, mask=mask)
    column = lists.cast(type_.arrow)
    return Made(column, problems)


def _make_one_by_one(
    values: Values,
    stored: DataType,
    problem: str,
) -> Made:
    kept: list[Any] = []
    problems = {}
    for position, value in enumerate(values):
        fitting = value
        try:
            pa.scalar(value, stored)
        except _UNFIT:
            problems[position] = problem
            fitting = None
        kept.append(fitting)
    column = pa.array(kept, stored)
    return Made(column, problems)


def _take_out(
    column: Array,
    is_wrong: Array,
    problem: str,
) -> Made:
    """Return a column with null where a value is wrong, and why.

    Args:
        column: the values.
        is_wrong: of each; null where it is missing.
        problem: what is wrong with them.
    """
    positions = pc.indices_nonzero(is_wrong)
    places = positions.to_pylist()
    # Nearly always.
    if not places:
        return Made(column, {})
    nothing = pa.scalar(None, column.type)
    cleaned = pc.if_else(is_wrong, nothing, column)
    problems = dict.fromkeys(places, problem)
    return Made(cleaned, problems)


_Conversion: TypeAlias = Callable[[AvroType, Values], Made]
_CONVERSIONS: dict[str, _Conversion] = {
    "plain": _make_plain,
    "text": _make_texts,
    "enum": _make_symbols,
    "decimal": _make_decimals,
    "uuid": _make_uuids,
    "list": _make_lists,
}
