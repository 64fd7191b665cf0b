"""The contents of files beside the rows that name them, in batches that fit into the memory."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import RecordBatch, Schema

from configs.errors import RejectedRows, RowError
from storage.rooted import FileRoot
from transforms.batches import BatchId, RawBatch
from transforms.formats.file_list import Listed
from transforms.formats.load import Load
from transforms.rejected import reject_rows

# What travels together at most, as of other formats; a file that is larger travels alone.
_BATCH_BYTES = 64 << 20
# A store answers in tens of milliseconds; of a disk one file is read at a time, as every core has a
# worker of its own.
_THREADS = 16
# By the column that the contents go into, what is listed for each row.
Entries: TypeAlias = Sequence[Listed]
ListedByColumn: TypeAlias = Mapping[str, Entries]
_Read: TypeAlias = bytes | Exception | None


def add_contents(
    batch: RawBatch,
    loads: Sequence[Load],
    listed: ListedByColumn,
    schema: Schema,
) -> Iterator[RawBatch]:
    """Yield the rows of a batch with the contents of their files, in batches of bounded size.

    Args:
        batch: rows of a table.
        loads: what to read.
        listed: the files of its rows, as the launcher saw them.
        schema: of the rows with contents.

    Raises:
        InputError: a file changed, or its disk or store fails.
    """
    shard = batch.id.shard
    first_row = batch.id.first_row
    count = len(batch)
    cuts = _cut_by_bytes(batch, loads, listed)
    for start, stop in cuts:
        is_end = stop == count
        length = stop - start
        part = replace(
            batch,
            id=BatchId(shard, first_row),
            rows=batch.rows.slice(start, length),
            row_numbers=batch.row_numbers[start:stop],
            last=batch.last and is_end,
            # What was rejected or left out before goes with the first rows.
            rejected=batch.rejected if start == 0 else (),
            rows_left_out=batch.rows_left_out if start == 0 else 0,
        )
        first_row += part.rows_in
        here = _slice(listed, start, stop)
        yield _read_contents(part, loads, here, schema)


def _slice(listed: ListedByColumn, start: int, stop: int) -> ListedByColumn:
    span = slice(start, stop)
    here = {}
    for name, entries in listed.items():
        here[name] = entries[span]
    return here


def _cut_by_bytes(
    batch: RawBatch,
    loads: Sequence[Load],
    listed: ListedByColumn,
) -> Iterator[tuple[int, int]]:
    """Yield where batches begin and end, by the sizes that were listed."""
    sizes = _measure_rows(batch, loads, listed)
    start = 0
    together_bytes = 0
    for row, size_bytes in enumerate(sizes.tolist()):
        is_full = together_bytes + size_bytes > _BATCH_BYTES
        # A row that is larger than a batch may be is one by itself.
        if is_full and row > start:
            yield start, row
            start = row
            together_bytes = 0
        together_bytes += size_bytes
    yield start, len(batch)


def _measure_rows(
    batch: RawBatch,
    loads: Sequence[Load],
    listed: ListedByColumn,
) -> np.ndarray:
    """Return the bytes (int64) of each row with its files; the table's own are shared out evenly."""
    rows = len(batch)
    table_bytes = batch.rows.nbytes
    row_bytes = table_bytes // max(1, rows)
    sizes = np.full(rows, row_bytes, dtype=np.int64)
    for load in loads:
        entries = listed[load.into]
        of_files = [_count_bytes(entry, load) for entry in entries]
        # Of no rows numpy would make floats.
        more_bytes = np.array(of_files, dtype=np.int64)
        sizes += more_bytes
    return sizes


def _count_bytes(entry: Listed, load: Load) -> int:
    """Return how much of a file is read."""
    file = entry.file
    if file is None:
        return 0
    size_bytes = file.bytes
    # One that is too large costs its row, and is not opened.
    if size_bytes > load.max_bytes:
        return 0
    return size_bytes


def _read_contents(
    part: RawBatch,
    loads: Sequence[Load],
    listed: ListedByColumn,
    schema: Schema,
) -> RawBatch:
    reasons: dict[int, Exception] = {}
    rows = part.rows
    content_type = pa.binary()
    names = rows.schema.names
    columns = dict(zip(names, rows.columns, strict=True))
    for load in loads:
        contents: list[bytes | None] = []
        entries = listed[load.into]
        all_read = _read_all(load, entries)
        for row, read in enumerate(all_read):
            if isinstance(read, Exception):
                # The first reason stays: a row may name several files.
                reasons.setdefault(row, read)
                contents.append(None)
            else:
                contents.append(read)
        into = load.into
        columns[into] = pa.array(contents, type=content_type)
    ordered = [columns[name] for name in schema.names]
    with_contents = RecordBatch.from_arrays(ordered, schema=schema)
    whole = replace(part, rows=with_contents)
    if not reasons:
        return whole
    return reject_rows(whole, RejectedRows(reasons), "read")


def _read_all(load: Load, listed: Entries) -> list[_Read]:
    """Return the content of each file, or why its row is rejected; None where the row names none."""
    root = FileRoot(load.root)

    def read(entry: Listed) -> _Read:
        return _read_one(root, load, entry)

    if root.is_local:
        return [read(entry) for entry in listed]
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(read, listed))


def _read_one(root: FileRoot, load: Load, entry: Listed) -> _Read:
    column = load.column
    problem = entry.problem
    if problem is not None:
        return RowError(f"{column!r}: {problem}")
    file = entry.file
    if file is None:
        return None
    name = file.name
    most = load.max_bytes
    if file.bytes > most:
        why = f"has {file.bytes:,} bytes, more than max_bytes {most:,}"
        too_large = RowError(why)
        reason = root.explain(too_large, name)
        return RowError(f"{column!r}: {reason}")
    try:
        return root.read(file)
    except (OSError, RowError) as error:
        reason = root.explain(error, name)
        return RowError(f"{column!r}: {reason}")
