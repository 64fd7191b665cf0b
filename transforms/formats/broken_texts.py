"""Values of files that are none of their type: texts that are not UTF-8, times that are of no day.

Writers promise them, and Arrow does not look. Copied to the output, one makes the file that it stands
in unreadable to pandas and DuckDB, with all rows beside it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, RecordBatch
import pyarrow.compute as pc
from pyarrow.types import (
    is_date64,
    is_decimal,
    is_dictionary,
    is_large_string,
    is_map,
    is_nested,
    is_string,
    is_string_view,
    is_struct,
    is_time,
    is_time32,
    is_time64,
)

from configs.errors import RowError
from transforms.formats.checked_rows import CheckedRows
from transforms.logical_types import (
    Check,
    blank_out,
    cast_exactly,
    decoded_type,
    holds,
    is_text,
    plain_type,
    rebuild_type,
    to_lists_of_pairs,
)

# Each type of which not every value is one, and one of the same memory of which every value is.
_RAW_TYPES = (
    (is_string, pa.binary()),
    (is_large_string, pa.large_binary()),
    (is_string_view, pa.binary_view()),
    (is_time32, pa.int32()),
    (is_time64, pa.int64()),
    (is_date64, pa.int64()),
)


class _Fault(NamedTuple):
    """What values of a type may be wrong in.

    Attributes:
        may_have: tells the types.
        find: gives the positions of the values that are wrong, int64, in order.
        words: what is wrong.
    """

    may_have: Check
    find: Callable[[Array], np.ndarray]
    words: str


def blank_unchecked_texts(rows: RecordBatch) -> CheckedRows:
    """Do what `blank_broken_texts` does, for rows whose offsets are as their file has them.

    Args:
        rows: as they were decoded.

    Raises:
        ArrowInvalid: an offset or an index would lead anywhere in memory.
    """
    # Nearly always.
    if _is_valid(rows):
        return CheckedRows(rows, {})
    for column in rows.columns:
        # As bytes and integers, which may be any: all else is looked at before a value is.
        raw = column.view(_raw_type(column.type))
        raw.validate(full=True)
    return blank_broken_texts(rows)


def blank_broken_texts(rows: RecordBatch) -> CheckedRows:
    """Return rows with nulls for the values that hold one that is none of its type, and why those rows are bad.

    Args:
        rows: as they were decoded.
    """
    cleaned: dict[int, Array] = {}
    reasons: dict[int, Exception] = {}
    for number, field in enumerate(rows.schema):
        column = rows.column(number)
        # Nearly always: Arrow looks at a million short texts in some milliseconds.
        if not holds(field.type, _may_be_broken) or _is_valid(column):
            continue
        # A dictionary is checked whole, whichever of its texts a row has.
        plain = cast_exactly(column, plain_type(field.type))
        for fault in _FAULTS:
            broken = _find_broken(plain, fault)
            reason = RowError(f"column {field.name!r}: {fault.words}")
            reasons.update(dict.fromkeys(broken.tolist(), reason))
            plain = blank_out(plain, broken)
        # Also where no row has one, and Arrow minds what a dictionary holds in vain. Encoded anew: what no
        # row has any more would be written all the same.
        cleaned[number] = cast_exactly(plain, field.type)
    if not cleaned:
        return CheckedRows(rows, reasons)
    columns = list(rows.columns)
    for number, column in cleaned.items():
        columns[number] = column
    clean_rows = RecordBatch.from_arrays(columns, schema=rows.schema)
    return CheckedRows(clean_rows, reasons)


def _may_be_broken(dtype: DataType) -> bool:
    plain = decoded_type(dtype)
    return any(fault.may_have(plain) for fault in _FAULTS)


def _raw_type(dtype: DataType) -> DataType:
    """Return a type of the same memory of which every value is one, inside of it, too."""
    if is_dictionary(dtype):
        values = _raw_type(dtype.value_type)
        return pa.dictionary(dtype.index_type, values, dtype.ordered)
    if isinstance(dtype, pa.BaseExtensionType):
        return _raw_type(dtype.storage_type)
    if is_decimal(dtype):
        return pa.binary(dtype.byte_width)
    for is_of_form, raw in _RAW_TYPES:
        if is_of_form(dtype):
            return raw
    return rebuild_type(dtype, _raw_type)


def _find_broken(column: Array, fault: _Fault) -> np.ndarray:
    """Return the positions (values,) of those that hold a value with a fault, int64, in order.

    Args:
        column: without dictionaries.
        fault: the fault.
    """
    dtype = column.type
    if fault.may_have(dtype):
        return fault.find(column)
    if isinstance(column, pa.ExtensionArray):
        return _find_broken(column.storage, fault)
    if not is_nested(dtype):
        return np.array([], np.int64)
    if is_struct(dtype):
        # What stands beneath a missing one is left out.
        found = [_find_broken(child, fault) for child in column.flatten()]
        return np.unique(np.concatenate(found))
    if is_map(dtype):
        column = to_lists_of_pairs(column)
    # A missing list has no length, and its place no values.
    lengths = pc.list_value_length(column).fill_null(0).to_numpy()
    list_of_value = np.repeat(np.arange(len(column)), lengths)
    inside = _find_broken(column.flatten(), fault)
    return np.unique(list_of_value[inside])


def _find_broken_texts(texts: Array) -> np.ndarray:
    # First large, as Arrow makes no bytes of views.
    as_bytes = texts.cast(pa.large_string()).cast(pa.large_binary())
    # One by one, which takes as long for a batch of broken texts as for one among them.
    are_broken = [_is_broken(text) for text in as_bytes.to_pylist()]
    return np.flatnonzero(are_broken)


def _find_invalid(values: Array) -> np.ndarray:
    # One by one, as Arrow does not tell which it minds.
    are_broken = [not _is_valid(values.slice(place, 1)) for place in range(len(values))]
    return np.flatnonzero(are_broken)


def _is_broken(text: bytes | None) -> bool:
    try:
        (text or b"").decode()
    except UnicodeDecodeError:
        return True
    return False


def _is_valid(values: Array | RecordBatch) -> bool:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


_FAULTS = (
    _Fault(is_text, _find_broken_texts, "a text that is not UTF-8"),
    _Fault(is_time, _find_invalid, "a time is not within a day"),
    _Fault(is_date64, _find_invalid, "a date64 is not a whole day"),
    _Fault(is_decimal, _find_invalid, "a decimal has more digits than its type"),
)
