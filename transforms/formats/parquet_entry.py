"""Read a row group from a row in its middle on, without decoding what comes before it.

A row group that fills many workers is cut into units, and each begins at a row of its own. Arrow reads a
column from its first page on. So it is given a footer in which the column begins later, and a file in which
its dictionary stands right before that page:

    in the file    dictionary | rows 0..19 | rows 20..39 | rows 40..59 | rows 60..79
    as it is read                             dictionary | rows 40..59 | rows 60..79       from row 47 on

Pages of columns begin at rows of their own, so columns are read together that can be entered at the same
row; what is left before the unit's first row, less than a page, is decoded and dropped.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from storage import files
from transforms.formats.parquet_footer import list_columns_of_leaves, refuse_encrypted_columns
from transforms.formats.parquet_pages import Page, find_start, list_data_pages

# Leaves of row groups whose pages are remembered, as the next unit of the same row group needs them.
_REMEMBERED = 4_096


@dataclass(frozen=True)
class Skipped:
    """Pages that are not read.

    Attributes:
        leaf: number of the leaf that they are of.
        start: where the leaf's first page begins, which may be its dictionary.
        dictionary_bytes: of its dictionary page.
        bytes: of the pages behind that that are not read.
    """

    leaf: int
    start: int
    dictionary_bytes: int
    bytes: int


@dataclass(frozen=True)
class Entry:
    """Columns of a row group that are read from the same row on.

    Attributes:
        names: the columns.
        first_row: the row, counted in the row group.
        skipped: their pages before it.
    """

    names: tuple[str, ...]
    first_row: int
    skipped: tuple[Skipped, ...]


class RowsOfGroup(NamedTuple):
    """Rows of one row group, of a file of one version.

    Attributes:
        group: number of the row group.
        row: the first row that is wanted, counted in the row group.
    """

    url: str
    version: str
    group: int
    row: int


class _Leaf(NamedTuple):
    number: int
    start: int
    pages: tuple[Page, ...]


def find_entries(
    wanted: RowsOfGroup,
    metadata: pq.FileMetaData,
    names: Sequence[str],
) -> list[Entry]:
    """Return where to enter each column so that as little as possible comes before the wanted rows.

    Args:
        wanted: the rows.
        metadata: the file's footer.
        names: the columns.

    Raises:
        InputError: columns are encrypted.
        ArrowInvalid, OSError: pages cannot be found.
    """
    # To ask pyarrow where an encrypted column is ends the process.
    refuse_encrypted_columns(wanted.url, metadata)
    columns: dict[int, list[str]] = {}
    skipped: dict[int, list[Skipped]] = {}
    with files.open_read(wanted.url) as file:
        for name, numbers in _group_leaves(metadata, names).items():
            leaves = [_find_leaf(wanted, file, metadata, number) for number in numbers]
            first_row = _find_common_start(leaves, wanted.row)
            columns.setdefault(first_row, []).append(name)
            own_skipped = skipped.setdefault(first_row, [])
            own_skipped += [_skip(leaf, first_row) for leaf in leaves if first_row]
    return [
        Entry(tuple(names), first_row, tuple(skipped[first_row]))
        for first_row, names in columns.items()
    ]


def iterate_from(
    file: pq.ParquetFile,
    entry: Entry,
    row: int,
    rows_at_once: int,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a row group from one of them on.

    Args:
        file: open, with the footer for the entry, which has one row group.
        entry: which columns, and where they are entered.
        row: the first row that is wanted, counted in the row group.
        rows_at_once: rows of a batch, at most.
    """
    ahead = row - entry.first_row
    # Not in threads of Arrow's own: the workers of a machine take all of its cores.
    batches = file.iter_batches(
        min(ahead, rows_at_once) or rows_at_once,
        columns=list(entry.names),
        use_threads=False,
    )
    while ahead:
        step = next(batches, None)
        if step is None:
            return
        ahead -= step.num_rows
        # The reader looks at it whenever it makes a batch; so the first one that is wanted begins with
        # the wanted row, and nothing has to be copied.
        file.reader.set_batch_size(min(ahead, rows_at_once) or rows_at_once)
    yield from batches


def join_entries(
    aligned: Iterator[list[pa.RecordBatch]], names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield batches with all columns, of batches of the same rows with some columns each.

    Args:
        aligned: those of each entry.
        names: the columns, in the order that is wanted.
    """
    for batches in aligned:
        columns: dict[str, pa.Array] = {}
        for rows in batches:
            columns.update(zip(rows.schema.names, rows.columns, strict=True))
        arrays = [columns[name] for name in names]
        yield pa.RecordBatch.from_arrays(arrays, list(names))


def take_rows_from(steps: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the first rows of batches.

    Args:
        steps: the batches.
        rows: how many rows.
    """
    for step in steps:
        here = step.slice(0, rows)
        rows -= here.num_rows
        if here.num_rows:
            yield here
        if not rows:
            return


def _group_leaves(metadata: pq.FileMetaData, names: Sequence[str]) -> Mapping[str, list[int]]:
    """Return the numbers of the leaves of each column, by its name."""
    leaves: dict[str, list[int]] = {name: [] for name in names}
    for number, name in list_columns_of_leaves(metadata, set(names)).items():
        leaves[name].append(number)
    return leaves


def _find_leaf(wanted: RowsOfGroup, file: Any, metadata: pq.FileMetaData, number: int) -> _Leaf:
    chunk = metadata.row_group(wanted.group).column(number)
    start = find_start(chunk)
    # Rows of a list have several values, and a page does not tell how many rows it has.
    if metadata.schema.column(number).max_repetition_level:
        return _Leaf(number, start, ())
    known = _remember(wanted.url, wanted.version, wanted.group, number)
    if not known:
        known.extend(list_data_pages(file, chunk))
    return _Leaf(number, start, tuple(known))


@lru_cache(_REMEMBERED)
def _remember(url: str, version: str, group: int, leaf: int) -> list[Page]:
    """Return the pages of a leaf, to be filled by who asks first."""
    return []


def _find_common_start(leaves: Sequence[_Leaf], row: int) -> int:
    """Return the last row, up to one, at which all leaves of a column begin a page."""
    starts = [{page.first_row for page in leaf.pages if page.first_row <= row} for leaf in leaves]
    common = set.intersection(*starts) if starts else set()
    return max(common, default=0)


def _skip(leaf: _Leaf, first_row: int) -> Skipped:
    # Of several that begin with it, all but the last are without rows.
    entered = next(page for page in reversed(leaf.pages) if page.first_row == first_row)
    first = leaf.pages[0].offset
    return Skipped(leaf.number, leaf.start, first - leaf.start, entered.offset - first)
