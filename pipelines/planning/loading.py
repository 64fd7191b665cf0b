"""Which files a job's rows name, each as it is now: listed before any worker starts, without their content."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from configs.errors import JobError, RowError
from model_zoo.steps.load_file import LoadFile
from model_zoo.steps.table import AnyStep
from pipelines.planning.folders import find_name
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.listed_files import ListedFiles
from storage import files
from storage.inputs import InputFile
from storage.rooted import FileRoot
from storage.rooted_file import RootedFile
from transforms.batches import WorkUnit
from transforms.formats.contents import Load
from transforms.formats.file_list import LISTED_ROWS, FileList, FileListWriter, Listed
from transforms.formats.files import FilesFormat
from transforms.formats.format import Format, Shard
from transforms.formats.loading import LoadingFormat
from transforms.formats.row_spans import find_whole
from transforms.read import read_unit
from transforms.rejected import RowRecord

# A store answers in tens of milliseconds, and is asked for every file.
_THREADS = 32
Steps: TypeAlias = tuple[AnyStep, ...]


def list_loads(job: ScoringJob) -> tuple[Load, ...]:
    """Return the columns of contents that the job's steps make.

    Raises:
        JobError: a root that cannot be a folder of files, or a source without a path column.
    """
    steps = [step for step in job.preprocess.steps if isinstance(step, LoadFile)]
    if steps and job.source.format == "files":
        raise JobError(
            "preprocess.steps load_file: a source of files has their contents already, in the "
            f"column {job.source.files.content!r}; leave the step out"
        )
    return tuple(_make_load(step) for step in steps)


def with_loads(format: Format, loads: tuple[Load, ...]) -> Format:
    """Return the format that also reads the files that rows name; the same one without any."""
    return LoadingFormat(format, loads) if loads else format


def list_files(format: Format, units: tuple[WorkUnit, ...], shards: Sequence[Shard]) -> ListedFiles:
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
        folders = {shard.file.url: shard.file for shard in shards}
        for unit in units:
            _list_members(unit, folders[unit.shard], format.content, writer)
    else:
        roots = {load.into: FileRoot(load.root) for load in format.loads}
        for root in roots.values():
            root.refuse_missing()
        # Parts of one piece of a table stand side by side, and it is read once for all of them.
        for whole, parts in groupby(units, _find_piece):
            _list_named(whole, tuple(parts), format, roots, writer)
    with_digests = tuple(replace(unit, files=writer.find_digest(unit.index)) for unit in units)
    listing = writer.close()
    return ListedFiles(
        format=replace(format, listing=listing),
        units=with_digests,
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


def _list_members(unit: WorkUnit, folder: InputFile, content: str, writer: FileListWriter) -> None:
    first, count = unit.span
    members = folder.members[first : first + count]
    root = FileRoot(folder.url)
    listed = [_list_member(root, find_name(folder, member), member) for member in members]
    rows = np.arange(first, first + count, dtype=np.int64)
    writer.add(unit.index, content, folder.url, rows, listed)


def _list_member(root: FileRoot, name: str, member: InputFile) -> Listed:
    file = RootedFile(name, member.bytes, member.version)
    # A store has no links, and has been asked once.
    if not root.is_local:
        return Listed(file)
    try:
        return Listed(root.describe(name))
    except (OSError, RowError) as error:
        return Listed(file, root.explain(error, name))


def _find_piece(unit: WorkUnit) -> WorkUnit:
    """Return the piece of a table that a unit is of, which is the same for all its parts."""
    whole = find_whole(unit)
    return unit if whole is unit else replace(whole, index=0)


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
        root = roots[load.into]
        for numbers, paths in _read_paths(whole, format.inner, load.column):
            listed = _look_at_all(root, paths)
            for unit, place in _deal_out(numbers, units):
                writer.add(unit.index, load.into, load.root, numbers[place], listed[place])


def _deal_out(numbers: np.ndarray, units: Sequence[WorkUnit]) -> Iterator[tuple[WorkUnit, slice]]:
    """Yield units with the places of their rows, where there are any."""
    if len(units) == 1:
        yield units[0], slice(None)
        return
    for unit in units:
        bounds = np.array([unit.first_row, unit.first_row + (unit.rows or 0)])
        begin, end = np.searchsorted(numbers, bounds).tolist()
        if begin < end:
            yield unit, slice(begin, end)


def _read_paths(
    unit: WorkUnit, format: Format, column: str
) -> Iterator[tuple[np.ndarray, list[bytes | None]]]:
    """Yield the numbers of a unit's rows, and their paths: of the table, this column alone."""
    schema = pa.schema([(column, pa.string())])
    for batch in read_unit(unit, schema, format, LISTED_ROWS, RowRecord()):
        # As bytes: a text of a file need not be valid UTF-8.
        paths = batch.rows.column(0).cast(pa.binary())
        yield batch.row_numbers, paths.to_pylist()


def _look_at_all(root: FileRoot, paths: Sequence[bytes | None]) -> list[Listed]:
    # Rows may name one file many times.
    different = list(dict.fromkeys(paths))
    if root.is_local:
        found = [_look_at(root, path) for path in different]
    else:
        with ThreadPoolExecutor(_THREADS) as pool:
            found = list(pool.map(lambda path: _look_at(root, path), different))
    by_path = dict(zip(different, found, strict=True))
    return [by_path[path] for path in paths]


def _look_at(root: FileRoot, path: bytes | None) -> Listed:
    if path is None:
        return Listed(None)
    try:
        name = root.find_name(path.decode())
    except UnicodeDecodeError:
        return Listed(None, "the path is not UTF-8")
    except RowError as error:
        return Listed(None, str(error))
    try:
        return Listed(root.describe(name))
    except (OSError, RowError) as error:
        return Listed(None, root.explain(error, name))
