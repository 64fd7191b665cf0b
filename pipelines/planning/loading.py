"""Which files a job's rows name, each as it is now: listed before any worker starts, without their content."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from configs.errors import JobError, RowError
from model_zoo.steps.load_file import LoadFile
from pipelines.planning.folders import find_name
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.listed_files import ListedFiles
from storage import files
from storage.input_file import InputFile
from storage.rooted import FileRoot
from storage.rooted_file import RootedFile
from transforms.batches import RowRecord, WorkUnit
from transforms.formats.contents import Load
from transforms.formats.file_list import LISTED_ROWS, FileList, FileListWriter, Listed
from transforms.formats.files import FilesFormat
from transforms.formats.format import Format, Shard
from transforms.formats.loading import LoadingFormat
from transforms.formats.row_spans import find_whole
from transforms.read import read_unit

# A store answers in tens of milliseconds, and is asked for every file.
_THREADS = 32
Loads: TypeAlias = tuple[Load, ...]
Units: TypeAlias = tuple[WorkUnit, ...]
# Of rows in their shard, int64.
Numbers: TypeAlias = np.ndarray
# As a table has it; None where a row names no file.
Path: TypeAlias = bytes | None


def list_loads(job: ScoringJob) -> Loads:
    """Return the columns of contents that the job's steps make.

    Raises:
        JobError: a root that cannot be a folder of files, or a source without a path column.
    """
    all_steps = job.preprocess.steps
    steps = [step for step in all_steps if isinstance(step, LoadFile)]
    source = job.source
    if steps and source.format == "files":
        content = source.files.content
        raise JobError(
            "preprocess.steps load_file: a source of files has their contents already, in the "
            f"column {content!r}; leave the step out"
        )
    loads = map(_make_load, steps)
    return tuple(loads)


def with_loads(format: Format, loads: Loads) -> Format:
    """Return the format that also reads the files that rows name; the same one without any."""
    if not loads:
        return format
    return LoadingFormat(format, loads)


def list_files(format: Format, units: Units, shards: Sequence[Shard]) -> ListedFiles:
    """Look at every file that a row names.

    Args:
        format: how rows are read.
        units: all of them.
        shards: the input files, or folders of files.

    Raises:
        InputError: a shard cannot be read, or the disk or store of the files fails.
    """
    if not isinstance(format, FilesFormat | LoadingFormat):
        return ListedFiles(format, units)
    writer = FileListWriter()
    if isinstance(format, FilesFormat):
        _list_all_members(units, shards, format, writer)
    else:
        _list_all_named(units, format, writer)

    # A unit says by its digest what its files were when they were listed.
    with_digests = []
    for unit in units:
        digest = writer.find_digest(unit.index)
        unit_with_digest = replace(unit, files=digest)
        with_digests.append(unit_with_digest)
    listing = writer.close()
    return ListedFiles(
        format=replace(format, listing=listing),
        units=tuple(with_digests),
        content=listing.content,
        count=writer.files,
        size_bytes=writer.size_bytes,
    )


def with_stored_list(format: Format, url: str) -> Format:
    """Return the format for workers, who read the list where it is stored.

    Args:
        format: of the plan.
        url: the stored list.
    """
    # Not in the graph: it is as large as there are files.
    if isinstance(format, FilesFormat | LoadingFormat):
        return replace(format, listing=FileList(url))
    return format


def _make_load(step: LoadFile) -> Load:
    try:
        # Two file systems in one address, of which nobody knows what is a folder of which.
        if "::" in step.root:
            raise ValueError("a chain of addresses (::)")
        root = files.to_absolute(step.root)
        FileRoot(root)
    except (ImportError, ValueError) as error:
        raise JobError(
            f"preprocess.steps load_file: root {step.root}: {error}; name a folder on a disk or in "
            "a store, and install the extra for that kind of storage (s3, gcs)"
        ) from error
    return Load(step.into, root, step.max_bytes, step.column)


def _list_all_members(
    units: Sequence[WorkUnit],
    shards: Sequence[Shard],
    format: FilesFormat,
    writer: FileListWriter,
) -> None:
    """List the files of folders, each of which is a row."""
    content = format.content
    folders = {shard.file.url: shard.file for shard in shards}
    for unit in units:
        folder = folders[unit.shard]
        _list_members(unit, folder, content, writer)


def _list_all_named(
    units: Sequence[WorkUnit],
    format: LoadingFormat,
    writer: FileListWriter,
) -> None:
    """List the files that rows of a table name."""
    roots = {load.into: FileRoot(load.root) for load in format.loads}
    # Before any row is read: a missing folder would be said of every file.
    for root in roots.values():
        root.refuse_missing()
    # Parts of one piece of a table stand side by side, and it is read once for all of them.
    pieces = groupby(units, _find_piece)
    for whole, parts in pieces:
        units_of_piece = tuple(parts)
        _list_named(whole, units_of_piece, format, roots, writer)


def _list_members(unit: WorkUnit, folder: InputFile, content: str, writer: FileListWriter) -> None:
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
    whole: WorkUnit,
    units: Sequence[WorkUnit],
    format: LoadingFormat,
    roots: dict[str, FileRoot],
    writer: FileListWriter,
) -> None:
    """List what the rows of a piece of a table name, some thousand rows at a time.

    Args:
        whole: the piece.
        units: its parts, or the piece itself.
        format: how it is read.
        roots: folders of files, by the column that their contents go into.
        writer: takes what is listed.
    """
    for load in format.loads:
        into = load.into
        root = roots[into]
        named = _read_paths(whole, format.inner, load.column)
        for numbers, paths in named:
            listed = _look_at_all(root, paths)
            for unit, place in _deal_out(numbers, units):
                rows = numbers[place]
                entries = listed[place]
                writer.add(unit.index, into, load.root, rows, entries)


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
