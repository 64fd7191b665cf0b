"""Rows of a file of which no value is other than its type says, as those that were are null."""

from typing import NamedTuple, TypeAlias

from pyarrow import RecordBatch

# By row, why a value is null.
Reasons: TypeAlias = dict[int, Exception]


class CheckedRows(NamedTuple):
    """Rows as far as they could be read.

    Attributes:
        rows: with nulls for values that were not read exactly, or are none of their column's type.
        reasons: by row, why there is one.
    """

    rows: RecordBatch
    reasons: Reasons
