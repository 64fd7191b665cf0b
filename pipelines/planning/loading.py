"""Which files a job's rows name, each as it is now: listed before any worker starts, without their content."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from configs.errors import RowError
from storage.input_file import InputFile, find_name
from storage.rooted import FileRoot
from storage.rooted_file import RootedFile
from transforms.batches import RowRecord, WorkUnit
from transforms.formats.file_list import LISTED_ROWS, FileList, FileListWriter, Listed
from transforms.formats.format import Format, Shard
from transforms.formats.load import Load
from transforms.formats.row_spans import find_whole
from transforms.read_unit import read_unit

# A store answers in tens of milliseconds, and is asked for every file.
_THREADS = 32
Loads: TypeAlias = Sequence[Load]
Units: TypeAlias = Sequence[WorkUnit]
# Of rows in their shard, int64.
Numbers: TypeAlias = np.ndarray
# As a table has it; None where a row names no file.
Path: TypeAlias = bytes | None


@dataclass(frozen=True)
class FoundFiles:
    """Units that say by a digest what the files of their rows are, and the list of those."""

    units: Units
    listing: FileList
    count: int
    size_bytes: int


def list_members(units: Units, shards: Sequence[Shard], content: str) -> FoundFiles:
    """Look at the files of folders, each of which is a row.

    Args:
        units: all of them.
        shards: the folders.
        content: name of the column that their contents go into.
    """
    writer = FileListWriter()
    folders = {shard.file.url: shard.file for shard in shards}
    for unit in units:
        folder = folders[unit.shard]
        _list_members(unit, folder, content, writer)
    return _finish(writer, units)


def list_named(units: Units, loads: Loads, format: Format) -> FoundFiles:
    """Look at every file that a row of a table names.

    Args:
        units: all of them.
        loads: which columns name files, and where those are.
        format: how the table's own rows are read.

    Raises:
        InputError: a shard cannot be read, or the disk or store of the files fails.
    """
    writer = FileListWriter()
    roots = {load.into: FileRoot(load.root) for load in loads}
    # Before any row is read: a missing folder would be said of every file.
    for root in roots.values():
        root.refuse_missing()
    # Parts of one piece of a table stand side by side, and it is read once for all of them.
    pieces = groupby(units, _find_piece)
    for whole, parts in pieces:
        units_of_piece = tuple(parts)
        for load in loads:
            paths = _read_paths(whole, format, load.column)
            _list_named(paths, units_of_piece, load, roots[load.into], writer)
    return _finish(writer, units)


def _finish(writer: FileListWriter, units: Units) -> FoundFiles:
    with_digests = []
    for unit in units:
        digest = writer.find_digest(unit.index)
        unit_with_digest = replace(unit, files=digest)
        with_digests.append(unit_with_digest)
    listing = writer.close()
    return FoundFiles(tuple(with_digests), listing, writer.files, writer.size_bytes)


def _list_members(
    unit: WorkUnit,
    folder: InputFile,
    content: str,
    writer: FileListWriter,
) -> None:
    first, count = unit.span
    stop = first + count
    members = folder.members[first:stop]
    url = folder.url
    root = FileRoot(url)
    listed = [_list_member(root, folder, member) for member in members]
    rows = np.arange(first, stop, dtype=np.int64)
    writer.add(unit.index, content, url, rows, listed)


def _list_member(root: FileRoot, folder: InputFile, member: InputFile) -> Listed:
    name = find_name(folder, member)
    file = RootedFile(name, member.bytes, member.version)
    # A store has no links, and has been asked once.
    if not root.is_local:
        return Listed(file)
    try:
        described = root.describe(name)
    except (OSError, RowError) as error:
        reason = root.explain(error, name)
        return Listed(file, reason)
    return Listed(described)


def _find_piece(unit: WorkUnit) -> WorkUnit:
    """Return the piece of a table that a unit is of, which is the same for all its parts."""
    whole = find_whole(unit)
    if whole is unit:
        return unit
    # The number is that of one part, and would tell the parts apart.
    return replace(whole, index=0)


def _list_named(
    paths: Iterator["_Paths"],
    units: Sequence[WorkUnit],
    load: Load,
    root: FileRoot,
    writer: FileListWriter,
) -> None:
    """List what the rows of a piece of a table name in one column, some thousand rows at a time.

    Args:
        paths: of the rows of the piece.
        units: its parts, or the piece itself.
        load: the column.
        root: the folder that the files are in.
        writer: takes what is listed.
    """
    for numbers, of_rows in paths:
        listed = _look_at_all(root, of_rows)
        for unit, place in _deal_out(numbers, units):
            rows = numbers[place]
            entries = listed[place]
            writer.add(unit.index, load.into, load.root, rows, entries)


class _Dealt(NamedTuple):
    """A unit, and the places of its rows among others."""

    unit: WorkUnit
    place: slice


class _Paths(NamedTuple):
    """What rows name, and which rows they are."""

    numbers: Numbers
    paths: list[Path]


def _deal_out(numbers: Numbers, units: Sequence[WorkUnit]) -> Iterator[_Dealt]:
    """Yield units with the places of their rows, where there are any."""
    # A piece that is not cut may not know how many rows it has.
    if len(units) == 1:
        everything = slice(None)
        yield _Dealt(units[0], everything)
        return
    for unit in units:
        rows = unit.rows or 0
        first = unit.first_row
        stop = first + rows
        places = np.searchsorted(numbers, [first, stop])
        begin, end = places.tolist()
        if begin < end:
            place = slice(begin, end)
            yield _Dealt(unit, place)


def _read_paths(
    unit: WorkUnit,
    format: Format,
    column: str,
) -> Iterator[_Paths]:
    """Yield the numbers of a unit's rows, and their paths: of the table, this column alone."""
    schema = pa.schema({column: pa.string()})
    record = RowRecord()
    as_bytes = pa.binary()
    batches = read_unit(unit, schema, format, LISTED_ROWS, record)
    for batch in batches:
        texts = batch.rows.column(0)
        # A text of a file need not be valid UTF-8, and would be no text of Python's.
        stored = texts.cast(as_bytes)
        paths = stored.to_pylist()
        yield _Paths(batch.row_numbers, paths)


def _look_at_all(root: FileRoot, paths: Sequence[Path]) -> list[Listed]:
    # Rows may name one file many times.
    different = list(dict.fromkeys(paths))
    look_at = partial(_look_at, root)
    if root.is_local:
        found = list(map(look_at, different))
    else:
        with ThreadPoolExecutor(_THREADS) as pool:
            found = list(pool.map(look_at, different))
    by_path = dict(zip(different, found, strict=True))
    return [by_path[path] for path in paths]


def _look_at(root: FileRoot, path: Path) -> Listed:
    if path is None:
        return Listed(None)
    try:
        text = path.decode()
        name = root.find_name(text)
    except UnicodeDecodeError:
        return Listed(None, "the path is not UTF-8")
    except RowError as error:
        reason = str(error)
        return Listed(None, reason)
    try:
        file = root.describe(name)
    except (OSError, RowError) as error:
        reason = root.explain(error, name)
        return Listed(None, reason)
    return Listed(file)
