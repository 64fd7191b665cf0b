"""Row groups of a Parquet file as record batches: a local file in small pieces, a remote one in few requests."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial

from pyarrow import RecordBatch
import pyarrow.parquet as pq

from storage import files
from storage.kept_in_memory import is_kept
from transforms.batches import WorkUnit
from transforms.formats.parquet_kept_pages import load_pages
from transforms.formats.parquet_pages import cut_out, iterate_pages
from transforms.formats.parquet_part_pages import find_pages_of_part
from transforms.formats.parquet_split import is_part_of_group, is_read_by_pages
from transforms.formats.parquet_ways import USUAL, Reading, holds_nested_dictionary, open_for

# What is read of a local column at a time: pages, and not the whole of a row group. So little is still in a
# core's cache when it is decoded; less takes a disk more requests than it likes.
_READ_BYTES = 1 << 18
# What is fetched of a remote file at a time, and stays in memory until its last row was given.
_FETCH_BYTES = 64 << 20


def open_file(
    url: str,
    reading: Reading,
    dictionaries: Sequence[str] = (),
) -> pq.ParquetFile:
    """Open a file: a local one to be read in small pieces, a remote one in few requests.

    Not memory-mapped: a file that is cut short under a map ends the process with SIGBUS.

    Args:
        url: the file.
        reading: how it is read.
        dictionaries: columns of texts that come out in dictionaries.
    """
    open_it = partial(
        open_for,
        url,
        reading,
        page_checksum_verification=True,
        read_dictionary=list(dictionaries),
    )
    if is_kept(url):
        return open_it(pre_buffer=False)
    if files.is_local(url):
        return open_it(pre_buffer=False, buffer_size=_READ_BYTES)
    return open_it(pre_buffer=True)


def iterate_reading(
    stack: ExitStack,
    file: pq.ParquetFile,
    unit: WorkUnit,
    reading: Reading,
    rows_at_once: int,
    dictionaries: Sequence[str] = (),
) -> Iterator[RecordBatch]:
    """Return the unit's rows, with the columns of one way of reading.

    Args:
        stack: closes what is opened here.
        file: the same file, open as most columns are read.
        unit: the unit.
        reading: the way.
        rows_at_once: rows of a batch, at most.
        dictionaries: columns of texts that come out in dictionaries, where they are read as most are.
    """
    is_usual = reading.opens_as(USUAL)
    if is_part_of_group(unit.span):
        in_dictionaries = dictionaries if is_usual else ()
        by_pages = _read_pages(stack, unit, reading, rows_at_once, in_dictionaries)
        if by_pages is not None:
            return by_pages
    # The file that is open already, as a store answers slowly.
    if not is_usual:
        file = stack.enter_context(open_file(unit.shard, reading))
    steps = iterate_batches(file, unit, reading.names, rows_at_once)
    if not is_part_of_group(unit.span):
        return steps
    _, _, first_row, *_ = unit.span
    return cut_out(steps, first_row, unit.rows or 0)


def _read_pages(
    stack: ExitStack,
    unit: WorkUnit,
    reading: Reading,
    rows_at_once: int,
    dictionaries: Sequence[str],
) -> Iterator[RecordBatch] | None:
    """Return the rows of a part of a row group by its pages; None where that cannot be, or gains nothing.

    Args: see `iterate_reading`.
    """
    number, _, first_row, *_ = unit.span
    group = None
    if is_read_by_pages(unit.span):
        group = load_pages(unit, number, reading.names)
    # Of a store all pages of a part are fetched at once by Arrow.
    elif first_row and files.is_local(unit.shard):
        group = find_pages_of_part(unit, reading.names)
    if group is None:
        return None
    stop = first_row + (unit.rows or 0)
    rows = range(first_row, stop)
    return iterate_pages(stack, unit.shard, group, rows, reading, rows_at_once, dictionaries)


def iterate_batches(
    file: pq.ParquetFile,
    unit: WorkUnit,
    names: Sequence[str],
    rows_at_once: int,
) -> Iterator[RecordBatch]:
    """Yield some columns of a unit's row groups, all of their rows.

    Args:
        file: the open file.
        unit: the unit.
        names: the columns, in the order of the result.
        rows_at_once: rows of a batch, at most.
    """
    # Once: it is made anew whenever it is asked for.
    stored = file.schema_arrow
    types = [stored.field(name).type for name in names]
    # Arrow puts no two dictionaries together that are inside a list or a struct.
    is_single = any(holds_nested_dictionary(dtype) for dtype in types)
    for groups in _groups_read_together(file.metadata, unit, is_single):
        # Not in threads of Arrow's own: the workers of a machine take all of its cores.
        batches = file.iter_batches(
            rows_at_once,
            row_groups=groups,
            columns=list(names),
            use_threads=False,
        )
        for rows in batches:
            # Columns come in the file's order.
            yield rows.select(list(names))


def _groups_read_together(
    metadata: pq.FileMetaData,
    unit: WorkUnit,
    is_single: bool = False,
) -> Iterator[list[int]]:
    """Yield the unit's row groups as they are asked for, each by itself where it must be.

    Of a remote file only so many at a time: `pre_buffer` keeps all that it fetched until the last
    row.
    """
    first, count, *_ = unit.span
    groups = list(range(first, first + count))
    if is_single:
        yield from ([group] for group in groups)
        return
    if files.is_local(unit.shard):
        yield groups
        return
    together: list[int] = []
    bytes_together = 0
    for group in groups:
        size = metadata.row_group(group).total_byte_size
        if together and bytes_together + size > _FETCH_BYTES:
            yield together
            together = []
            bytes_together = 0
        together.append(group)
        bytes_together += size
    # None are left only where the unit has none.
    if together:
        yield together
