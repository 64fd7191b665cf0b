"""Rows that wait until all rows of their file are there, to be sorted: in memory, or beside it.

Once they are many they are sorted and put aside, as a run; in the end all runs are merged, of which a
part each is in memory.

    runs     [a d g | k p]   [b c h | i z]      | what is loaded of each
    merged   a b c d g                          up to the first end of what is loaded: behind it the
                                                first run may go on
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
import tempfile
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, RecordBatch, Schema, Table
import pyarrow.compute as pc
from pyarrow.types import is_dictionary

from configs.errors import PublishError
from storage.scratch import ScratchFile, Span
from transforms.logical_types import cast_column, type_with_kernels
from transforms.output.row_groups import find_order, sort_rows
from transforms.row_bytes import dump_rows, load_rows
from transforms.row_sizes import count_decoded_bytes, cut_rows

# More are put aside: to sort rows takes two copies of them.
_RUN_BYTES = 64 << 20
# What is put aside, and loaded again, at a time.
_BLOCK_BYTES = 1 << 20
# How many runs are merged at once, and what is loaded of all of them together.
_MERGED_RUNS = 32
_LOADED_BYTES = 64 << 20

# A column, and `ascending` or `descending`.
SortKey: TypeAlias = tuple[str, str]
SortBy: TypeAlias = Sequence[SortKey]
# Where the blocks of sorted rows are.
_Run = Sequence[Span]


class SortedRows:
    """Collects rows of one schema, and gives them in order.

    Args:
        sort_by: (column, `ascending` or `descending`); equal rows stay in their order.
    """

    def __init__(self, sort_by: SortBy) -> None:
        self._sort_by = list(sort_by)
        self._scratch = ScratchFile()
        self._pending: list[RecordBatch] = []
        self._pending_bytes = 0
        self._runs: list[_Run] = []
        # In which sorted rows come out; known once there are some.
        self._schema: Schema | None = None

    def add(self, rows: RecordBatch) -> None:
        """Take some more rows.

        Raises:
            PublishError: they must be put aside, and there is no room.
        """
        self._pending.append(rows)
        self._pending_bytes += count_decoded_bytes(rows)
        if self._pending_bytes >= _RUN_BYTES:
            self._put_aside()

    def drain(self) -> Iterator[Table]:
        """Yield all rows in order, in one table as long as none were put aside.

        Raises:
            PublishError: what was put aside cannot be read, or there is no room for more.
        """
        if not self._runs:
            if self._pending:
                yield self._sort_pending()
            return
        if self._pending:
            self._put_aside()
        runs = self._runs
        while len(runs) > _MERGED_RUNS:
            runs = self._merge_some(runs)
        yield from self._merge(runs)
        self.close()

    def close(self) -> None:
        """Let go of all rows."""
        self._scratch.close()
        self._pending = []
        self._pending_bytes = 0
        self._runs = []

    def _sort_pending(self) -> Table:
        table = Table.from_batches(self._pending)
        self._pending = []
        self._pending_bytes = 0
        return sort_rows(table, self._sort_by)

    def _put_aside(self) -> None:
        table = self._sort_pending()
        self._schema = table.schema
        run = self._store([table])
        self._runs.append(run)

    def _merge_some(self, runs: Sequence[_Run]) -> list[_Run]:
        """Return fewer and longer runs: neighbours are merged, so that equal rows stay in order."""
        merged: list[_Run] = []
        for first in range(0, len(runs), _MERGED_RUNS):
            stop = first + _MERGED_RUNS
            neighbours = runs[first:stop]
            # Without neighbours it would be stored again as it is.
            if len(neighbours) == 1:
                merged += neighbours
                continue
            tables = self._merge(neighbours)
            run = self._store(tables)
            merged.append(run)
        return merged

    def _store(self, tables: Iterable[Table]) -> _Run:
        spans = []
        for table in tables:
            for block in _cut_blocks(table):
                content = dump_rows(block, compression="lz4")
                with _explained():
                    span = self._scratch.append(content)
                spans.append(span)
        return spans

    def _merge(self, runs: Sequence[_Run]) -> Iterator[Table]:
        """Yield the rows of some runs in order, a part at a time."""
        assert self._schema is not None  # noqa: S101 - there are runs
        share_bytes = _LOADED_BYTES // len(runs)
        heads = [_Head(self._scratch, run) for run in runs]
        while True:
            for head in heads:
                head.fill(share_bytes)
            heads = list(filter(len, heads))
            if not heads:
                return
            counts = _count_next(heads, self._sort_by)
            first_rows = []
            for head, count in zip(heads, counts, strict=True):
                taken = head.take(count)
                first_rows.append(taken)
            # In the order of their runs, so that equal rows stay in theirs.
            unsorted = pa.concat_tables(first_rows)
            table = sort_rows(unsorted, self._sort_by)
            yield _restore_types(table, self._schema)


class _Head:
    """The first rows of a run that were not taken yet, as far as they are loaded.

    Args:
        scratch: where the run is.
        run: its blocks.
    """

    def __init__(self, scratch: ScratchFile, run: _Run) -> None:
        self._scratch = scratch
        # Back to front: `pop` takes the last one.
        self._rest = list(reversed(run))
        self._loaded: list[RecordBatch] = []

    def __len__(self) -> int:
        return sum(rows.num_rows for rows in self._loaded)

    @property
    def rows(self) -> Table:
        """Return what is loaded."""
        return Table.from_batches(self._loaded)

    @property
    def is_all(self) -> bool:
        """Tell whether nothing is left to load."""
        return not self._rest

    def fill(self, most_bytes: int) -> None:
        """Load blocks, at least one, as long as they are fewer bytes."""
        loaded = self._loaded
        loaded_bytes = sum(map(count_decoded_bytes, loaded))
        # Else one block would be loaded for each that is taken, and little merged each time.
        if loaded and loaded_bytes > most_bytes // 2:
            return
        while self._rest:
            # Without any row it would be taken for one that has come to its end.
            if loaded and loaded_bytes >= most_bytes:
                return
            span = self._rest.pop()
            with _explained():
                content = self._scratch.read(span)
            rows = load_rows(content)
            loaded.append(rows)
            loaded_bytes += count_decoded_bytes(rows)

    def take(self, count: int) -> Table:
        """Return the first rows, which leave."""
        rows = self.rows
        taken = rows.slice(0, count)
        rest = rows.slice(count)
        batches = rest.to_batches()
        self._loaded = [batch for batch in batches if batch.num_rows]
        return taken


def _count_next(heads: Sequence[_Head], sort_by: SortBy) -> list[int]:
    """Return how many rows of each head come before all that are not loaded."""
    names = [name for name, _ in sort_by]
    keys_of_heads = [head.rows.select(names) for head in heads]
    keys = pa.concat_tables(keys_of_heads)
    found = find_order(keys, sort_by)
    order = found.to_numpy()
    loaded_rows = len(order)
    ranks = np.empty(loaded_rows, dtype=np.int64)
    in_order = np.arange(loaded_rows)
    ranks[order] = in_order

    lengths = list(map(len, heads))
    stops = np.cumsum(lengths)
    last = loaded_rows - 1
    for head, stop in zip(heads, stops, strict=True):
        # Behind the last loaded row of a run others of it may follow, and none before.
        if not head.is_all:
            rank = ranks[stop - 1]
            last = min(last, rank)

    count = last + 1
    first = order[:count]
    chosen = np.sort(first)
    # How many of the chosen rows are of each head: between its first row and that of the next one.
    begins = [0, *stops]
    edges = np.searchsorted(chosen, begins)
    differences = np.diff(edges)
    counts: list[int] = differences.tolist()
    return counts


def _cut_blocks(table: Table) -> Iterator[RecordBatch]:
    """Yield rows in blocks that are as small as they can be when they are stored."""
    storable = _to_storable(table)
    for rows in storable.to_batches():
        for block in cut_rows(rows, _BLOCK_BYTES):
            yield _without_unused(block)


def _restore_types(table: Table, schema: Schema) -> Table:
    """Return rows in the types that they had before they were stored, views among them."""
    restored = []
    pairs = zip(table.columns, schema.types, strict=True)
    for column, dtype in pairs:
        cast = cast_column(column, dtype)
        restored.append(cast)
    return Table.from_arrays(restored, schema=schema)


def _to_storable(table: Table) -> Table:
    """Return rows without views, with every slice of which all letters would be stored."""
    columns = []
    for column in table.columns:
        dtype = type_with_kernels(column.type)
        storable = cast_column(column, dtype)
        columns.append(storable)
    return pa.table(columns, names=table.column_names)


def _without_unused(rows: RecordBatch) -> RecordBatch:
    """Return rows whose large dictionaries hold only what is used: each block stores its own."""
    columns = list(map(_drop_unused, rows.columns))
    names = rows.schema.names
    return RecordBatch.from_arrays(columns, names=names)


def _drop_unused(column: Array) -> Array:
    dtype = column.type
    if not is_dictionary(dtype):
        return column
    # Few values are not worth a look at which of them are used.
    if len(column.dictionary) <= len(column):
        return column
    given = column.indices
    found = pc.unique(given)
    used = found.drop_null()
    # In their order, which may mean something.
    order = pc.sort_indices(used)
    used = used.take(order)
    values = column.dictionary.take(used)
    places = pc.index_in(given, value_set=used)
    indices = places.cast(dtype.index_type)
    is_ordered = dtype.ordered
    return pa.DictionaryArray.from_arrays(indices, values, ordered=is_ordered)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = tempfile.gettempdir()
        # An error that was made of a text alone has no `strerror`.
        reason = error.strerror or error
        raise PublishError(
            f"{folder}: rows that wait to be sorted cannot be kept there: "
            f"{reason}; make room there, or name another folder in TMPDIR"
        ) from error
