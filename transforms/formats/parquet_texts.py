"""Texts of Parquet files that are not UTF-8, which writers promise and Arrow does not look at.

Copied to the output, one such text makes the file that it stands in unreadable to pandas, DuckDB and
Polars, with all rows beside it.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyarrow import Array, RecordBatch

from configs.errors import RowError
from transforms.formats.parquet_ways import Together
from transforms.logical_types import (
    blank_out,
    cast_exactly,
    holds,
    is_text,
    plain_type,
    take_values,
)


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
        broken = list(_find_broken(plain, 0))
        reason = RowError(f"column {field.name!r}: a text that is not UTF-8")
        reasons.update(dict.fromkeys(broken, reason))
        blanked = blank_out(plain, np.array(broken, dtype=np.int64))
        # Encoded anew: what no row has any more would be written all the same.
        cleaned[number] = cast_exactly(blanked, field.type)
    if not cleaned:
        return Together(rows, reasons)
    columns = [cleaned.get(number, column) for number, column in enumerate(rows.columns)]
    return Together(RecordBatch.from_arrays(columns, schema=rows.schema), reasons)


def _find_broken(column: Array, first: int) -> Iterator[int]:
    """Yield the positions of broken values, by halves: nearly all of a column is valid.

    Args:
        column: without dictionaries.
        first: the position of its first value.
    """
    if _is_valid(column):
        return
    count = len(column)
    if count == 1:
        yield first
        return
    half = count // 2
    # Taken and not sliced, as the texts of a slice's lists are checked with those of all others.
    lower = take_values(column, pa.array(range(half)))
    yield from _find_broken(lower, first)
    upper = take_values(column, pa.array(range(half, count)))
    yield from _find_broken(upper, first + half)


def _is_valid(column: Array) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
