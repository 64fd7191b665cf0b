"""Texts of files that are not UTF-8, which writers promise and Arrow does not look at.

Copied to the output, one such text makes the file that it stands in unreadable to pandas, DuckDB and
Polars, with all rows beside it.
"""

import numpy as np
import pyarrow as pa
from pyarrow import Array, RecordBatch
import pyarrow.compute as pc
from pyarrow.types import is_map, is_nested, is_struct

from configs.errors import RowError
from transforms.formats.parquet_ways import Together
from transforms.logical_types import (
    as_bytes_type,
    blank_out,
    cast_exactly,
    holds,
    is_text,
    plain_type,
    to_lists_of_pairs,
)


def blank_unchecked_texts(rows: RecordBatch) -> Together:
    """Do what `blank_broken_texts` does, for rows whose offsets are as their file has them.

    Args:
        rows: as they were decoded.

    Raises:
        ArrowInvalid: an offset or an index would lead anywhere in memory.
    """
    # Nearly always.
    if _is_valid(rows):
        return Together(rows, {})
    for column in rows.columns:
        # As bytes, which may be any: all else is looked at before a text is.
        as_bytes = column.view(as_bytes_type(column.type))
        as_bytes.validate(full=True)
    return blank_broken_texts(rows)


def blank_broken_texts(rows: RecordBatch) -> Together:
    """Return rows with nulls for the values that hold a text that is not UTF-8, and why those rows are bad.

    Args:
        rows: as they were decoded.
    """
    cleaned: dict[int, Array] = {}
    reasons: dict[int, Exception] = {}
    for number, field in enumerate(rows.schema):
        column = rows.column(number)
        # Nearly always: Arrow looks at a million short texts in some milliseconds.
        if not holds(field.type, is_text) or _is_valid(column):
            continue
        # A dictionary is checked whole, whichever of its texts a row has.
        plain = cast_exactly(column, plain_type(field.type))
        # None where Arrow minds something else: a time of more than a day, in one struct with texts.
        broken = _find_broken(plain)
        reason = RowError(f"column {field.name!r}: a text that is not UTF-8")
        reasons.update(dict.fromkeys(broken.tolist(), reason))
        blanked = blank_out(plain, broken)
        # Also where no row has one, and Arrow minds what a dictionary holds in vain. Encoded anew: what no
        # row has any more would be written all the same.
        cleaned[number] = cast_exactly(blanked, field.type)
    if not cleaned:
        return Together(rows, reasons)
    columns = list(rows.columns)
    for number, column in cleaned.items():
        columns[number] = column
    clean_rows = RecordBatch.from_arrays(columns, schema=rows.schema)
    return Together(clean_rows, reasons)


def _find_broken(column: Array) -> np.ndarray:
    """Return the positions (values,) of those that hold a broken text, int64, in order.

    Args:
        column: without dictionaries.
    """
    dtype = column.type
    if is_text(dtype):
        return _find_broken_texts(column)
    if not is_nested(dtype):
        return np.array([], np.int64)
    if is_struct(dtype):
        # What stands beneath a missing one is left out.
        found = [_find_broken(child) for child in column.flatten()]
        return np.unique(np.concatenate(found))
    if is_map(dtype):
        column = to_lists_of_pairs(column)
    # A missing list has no length, and its place no values.
    lengths = pc.list_value_length(column).fill_null(0).to_numpy()
    list_of_value = np.repeat(np.arange(len(column)), lengths)
    inside = _find_broken(column.flatten())
    return np.unique(list_of_value[inside])


def _find_broken_texts(texts: Array) -> np.ndarray:
    # First large, as Arrow makes no bytes of views.
    as_bytes = texts.cast(pa.large_string()).cast(pa.large_binary())
    # One by one, which takes as long for a batch of broken texts as for one among them.
    are_broken = [_is_broken(text) for text in as_bytes.to_pylist()]
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
