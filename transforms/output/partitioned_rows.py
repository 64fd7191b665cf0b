"""Rows of a unit on their way into the folders of their values: `dt=2026-01-01/region=north/`.

All rows of a unit are sorted by these columns, beside the memory once they are many, so that the rows
of each folder come one after the other and one file is open at a time, however many folders there are.

    rows     n 1 | s 2 | n 3 | s 4        folders   region=n  1 3
                                                    region=s  2 4
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
from pyarrow import Array, DataType, Scalar, Table
import pyarrow.compute as pc
from pyarrow.types import is_boolean, is_date, is_integer

from configs.errors import JobError, RowError
from storage.partition_names import fits, make_name
from transforms.logical_types import decode, decoded_type, is_text

# Of one unit: a column of other values than somebody thought would make a file of each row.
_MOST_FOLDERS = 10_000


class InFolder(NamedTuple):
    """Rows of one folder, and the folder below that of all scored rows."""

    folder: str
    rows: Table


def can_be_folders(dtype: DataType) -> bool:
    """Tell whether values of a type have one text each, that readers take for the same value."""
    plain = decoded_type(dtype)
    is_plain = is_text(plain) or is_boolean(plain)
    return bool(is_plain or is_integer(plain) or is_date(plain))


def find_unfit(
    rows: pa.RecordBatch,
    names: Sequence[str],
) -> dict[int, Exception]:
    """Return the rows with a value that no folder's name holds, and why.

    Args:
        rows: the rows.
        names: the columns whose values become folders.
    """
    reasons: dict[int, Exception] = {}
    for name in names:
        column = decode(rows.column(name))
        if not is_text(column.type):
            continue
        different = pc.unique(column).drop_null()
        unfit = [text for text in different.to_pylist() if not fits(name, text)]
        if not unfit:
            continue
        # One for all rows: its message holds no value.
        reason = RowError(
            f"column {name!r}: an empty text, or one that is too long or reserved, names no folder"
        )
        value_set = pa.array(unfit, column.type)
        is_unfit = pc.is_in(column, value_set=value_set)
        for position in pc.indices_nonzero(is_unfit).to_pylist():
            reasons.setdefault(position, reason)
    return reasons


def divide(
    tables: Iterator[Table],
    names: Sequence[str],
) -> Iterator[InFolder]:
    """Yield rows that are sorted by some columns, folder by folder, without these columns.

    One folder may come several times in a row.

    Args:
        tables: the rows, in order.
        names: the columns.

    Raises:
        JobError: more folders than anybody wants.
    """
    folder = None
    count = 0
    for table in tables:
        kept = table.drop_columns(list(names))
        keys = [decode(table.column(name).combine_chunks()) for name in names]
        for start, stop in _find_runs(keys, table.num_rows):
            texts = [_to_text(key[start]) for key in keys]
            parts = map(make_name, names, texts)
            here = "/".join(parts)
            if here != folder:
                folder = here
                count += 1
            if count > _MOST_FOLDERS:
                raise JobError(
                    f"sink.partition_by: more than {_MOST_FOLDERS:,} folders for the rows of one "
                    "unit of work; name columns of fewer values"
                )
            yield InFolder(here, kept.slice(start, stop - start))


def _find_runs(
    keys: Sequence[Array],
    rows: int,
) -> Iterator[tuple[int, int]]:
    """Yield where rows of the same values begin and end."""
    starts = {0}
    for key in keys:
        ends = pc.run_end_encode(key).run_ends
        starts.update(ends.to_pylist())
    edges = sorted(starts | {rows})
    # Of no rows there is one edge alone.
    yield from pairwise(edges)


def _to_text(value: Scalar) -> str | None:
    if not value.is_valid:
        return None
    text: str = value.cast(pa.string()).as_py()
    return text
