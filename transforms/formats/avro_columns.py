"""Values that Avro's rows hold, as columns: exactly, or with a reason for each row that has none.

What is decoded is what stands in the bytes: numbers, byte strings, lists of them. What they mean (a
date, a text, a symbol, a decimal) is put on whole columns here.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType
import pyarrow.compute as pc
from pyarrow.types import is_decimal256, is_temporal, is_time

from configs.errors import RowError
from transforms.formats.avro_schema import AvroField, AvroType

# By position, why a value is none.
Reasons: TypeAlias = dict[int, Exception]
# What pyarrow raises of a value that a type cannot hold.
_UNFIT = (pa.ArrowException, OverflowError, TypeError, ValueError)
_BITS_OF_NARROW, _BITS_OF_WIDE = 128, 256
_DAY_SECONDS = 86_400
_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def make_column(field: AvroField, values: Sequence[Any]) -> tuple[Array, Reasons]:
    """Return a column with null for the values that its type cannot hold, and why, by position.

    Args:
        field: the column.
        values: as they were decoded, with None for missing ones.
    """
    found, why = _make_array(field.type, values)
    reasons: Reasons = {}
    for position, problem in why.items():
        reasons[position] = RowError(f"column {field.name!r}: {problem}")
    return found, reasons


def _make_array(type_: AvroType, values: Sequence[Any]) -> tuple[Array, dict[int, str]]:
    make = _CONVERSIONS[type_.conversion]
    return make(type_, values)


def _make_plain(type_: AvroType, values: Sequence[Any]) -> tuple[Array, dict[int, str]]:
    """Return numbers, truth values and bytes, also those that count days or moments."""
    arrow = type_.arrow
    stored = _choose_stored(arrow)
    why: dict[int, str] = {}
    try:
        column = pa.array(values, stored)
    # Only now value by value: Avro's numbers may be longer than the schema says.
    except _UNFIT:
        column, why = _make_one_by_one(values, stored, f"a value is no {type_.name}")
    if is_time(arrow):
        column, late = _take_out_late(column, arrow)
        why |= late
    if arrow != stored:
        column = column.view(arrow)
    return column, why


def _choose_stored(arrow: DataType) -> DataType:
    """Return the type whose values are those that stand in the file."""
    if not is_temporal(arrow):
        return arrow
    return pa.int32() if arrow.bit_width == 32 else pa.int64()


def _take_out_late(column: Array, arrow: DataType) -> tuple[Array, dict[int, str]]:
    """Return times of a day without those that are of no day."""
    end = _DAY_SECONDS * _UNITS[arrow.unit]
    is_early = pc.less(column, 0)
    is_late = pc.greater_equal(column, end)
    is_wrong = pc.or_(is_early, is_late)
    return _take_out(column, is_wrong, "a time is not within a day")


def _make_texts(type_: AvroType, values: Sequence[Any]) -> tuple[Array, dict[int, str]]:
    stored = pa.array(values, pa.binary())
    try:
        return stored.cast(pa.string()), {}
    except pa.ArrowInvalid:
        texts: list[str | None] = []
        why = {}
        for position, value in enumerate(values):
            text = None
            try:
                if value is not None:
                    text = value.decode()
            except UnicodeDecodeError:
                why[position] = "a text is not UTF-8"
            texts.append(text)
        return pa.array(texts, pa.string()), why


def _make_symbols(type_: AvroType, values: Sequence[Any]) -> tuple[Array, dict[int, str]]:
    symbols = pa.array(type_.symbols, pa.string())
    numbers = pa.array(values, pa.int64())
    is_negative = pc.less(numbers, 0)
    is_behind = pc.greater_equal(numbers, len(symbols))
    is_wrong = pc.or_(is_negative, is_behind)
    numbers, why = _take_out(numbers, is_wrong, "an enum has a symbol that its schema lacks")
    return symbols.take(numbers), why


def _make_decimals(type_: AvroType, values: Sequence[Any]) -> tuple[Array, dict[int, str]]:
    """Return decimals of their digits, which are stored as one integer, the highest byte first."""
    arrow = type_.arrow
    size = (_BITS_OF_WIDE if is_decimal256(arrow) else _BITS_OF_NARROW) // 8
    limit = 10**arrow.precision
    nothing = bytes(size)
    parts = []
    why = {}
    is_there = np.ones(len(values), dtype=bool)
    for position, value in enumerate(values):
        part = nothing
        if value is None:
            is_there[position] = False
        else:
            number = int.from_bytes(value, "big", signed=True)
            if abs(number) < limit:
                # As Arrow stores it.
                part = number.to_bytes(size, "little", signed=True)
            else:
                is_there[position] = False
                why[position] = f"a decimal has more than {arrow.precision} digits"
        parts.append(part)
    content = pa.py_buffer(b"".join(parts))
    mask = np.packbits(is_there, bitorder="little")
    validity = pa.py_buffer(mask)
    return pa.Array.from_buffers(arrow, len(values), [validity, content]), why


def _make_uuids(type_: AvroType, values: Sequence[Any]) -> tuple[Array, dict[int, str]]:
    texts = []
    for value in values:
        text = None if value is None else str(UUID(bytes=value))
        texts.append(text)
    return pa.array(texts, pa.string()), {}


def _make_lists(type_: AvroType, values: Sequence[Any]) -> tuple[Array, dict[int, str]]:
    """Return lists, whose items are made as a column of their own."""
    (items,) = type_.items
    lengths = []
    flat: list[Any] = []
    for value in values:
        length = 0 if value is None else len(value)
        lengths.append(length)
        if length:
            flat += value
    column, why_of_items = _make_array(items, flat)
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    is_missing = np.array([value is None for value in values], dtype=bool)
    # The list of each item that is none.
    wrong_items = np.array(list(why_of_items), dtype=np.int64)
    rows = np.searchsorted(offsets, wrong_items, side="right") - 1
    reasons = why_of_items.values()
    why = dict(zip(rows.tolist(), reasons, strict=True))
    is_missing[rows] = True
    places = pa.array(offsets)
    mask = pa.array(is_missing)
    lists = pa.ListArray.from_arrays(places, column, mask=mask)
    return lists.cast(type_.arrow), why


def _make_one_by_one(
    values: Sequence[Any],
    stored: DataType,
    problem: str,
) -> tuple[Array, dict[int, str]]:
    kept: list[Any] = []
    why = {}
    for position, value in enumerate(values):
        try:
            pa.scalar(value, stored)
        except _UNFIT:
            why[position] = problem
            kept.append(None)
        else:
            kept.append(value)
    return pa.array(kept, stored), why


def _take_out(
    column: Array,
    is_wrong: Array,
    problem: str,
) -> tuple[Array, dict[int, str]]:
    """Return a column with null where a value is wrong, and why.

    Args:
        column: the values.
        is_wrong: of each; null where it is missing.
        problem: what is wrong with them.
    """
    places = pc.indices_nonzero(is_wrong).to_pylist()
    # Nearly always.
    if not places:
        return column, {}
    nothing = pa.scalar(None, column.type)
    cleaned = pc.if_else(is_wrong, nothing, column)
    return cleaned, dict.fromkeys(places, problem)


_CONVERSIONS: dict[str, Callable[[AvroType, Sequence[Any]], tuple[Array, dict[int, str]]]] = {
    "plain": _make_plain,
    "text": _make_texts,
    "enum": _make_symbols,
    "decimal": _make_decimals,
    "uuid": _make_uuids,
    "list": _make_lists,
}
