"""A sample of files: a folder of pictures, or a table whose rows name them.

The package knows nothing of either: its column holds the contents. Where they come from is said in
the starter job, by `format: files` or by `load_file`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from configs.errors import InputError, JobError, RowError
from configs.fields import PICTURES, Fields, Names
from configs.packaging import PackagingJob
from configs.suggest import nearest
from model_zoo.steps.image import Image
from model_zoo.steps.load_file import LoadFile
from model_zoo.steps.table import AnyStep
from pipelines.packing.material import AS_IT_IS, Reading
from pipelines.planning.folders import list_folders
from storage import files
from storage.input_file import InputFile, find_name
from storage.rooted import FileRoot

Job: TypeAlias = PackagingJob[AnyStep]
# A folder, and a file in it.
Member: TypeAlias = tuple[InputFile, InputFile]

# Enough to compare scores; what the network takes of all of them is in memory at once.
_MOST_FILES = 1_000
_MOST_BYTES = 256 << 20
_PATH = "path"
_SIZE = "size"
_CONTENT = "bytes"


@dataclass(frozen=True)
class Taken:
    """Rows as the nightly job will have them, and where it finds them.

    Attributes:
        job: the packaging job, in which the contents are a column like any other.
        table: the rows.
        reading: what the starter job says of it.
        notes: what was left out, in words.
    """

    job: Job
    table: pa.Table
    reading: Reading = AS_IT_IS
    notes: Names = ()


def are_pictures(paths: Sequence[str]) -> bool:
    """Tell whether the first path is a picture, or stands for more pictures than other files."""
    try:
        folders, _ = list_folders(paths[:1], recursive=True, options={"suffixes": None})
    except InputError:
        # Whatever hinders is told when it is read as a table.
        return False
    urls: list[str] = []
    for folder in folders:
        urls += [member.url for member in folder.members]
    pictures = [url for url in urls if url.casefold().endswith(PICTURES)]
    others = len(urls) - len(pictures)
    return len(pictures) > others


def read_folder(job: Job) -> Taken:
    """Return the contents of a folder of pictures, a row for each file.

    Raises:
        JobError: a step would read them again.
        InputError: none of them can be read.
    """
    paths = [files.to_absolute(path) for path in job.sample]
    folders, _ = list_folders(paths, recursive=True, options={"suffixes": PICTURES})
    if any(isinstance(step, LoadFile) for step in job.preprocess):
        raise JobError(
            "preprocess load_file: a sample of files has their contents already, in the column "
            f"{_CONTENT!r}; leave the step out"
        )
    members = [(folder, member) for folder in folders for member in folder.members]
    problems: list[str] = []
    rows = _read_members(members, problems)
    table = pa.Table.from_pylist(rows)

    changes = {
        "key": job.key or _PATH,
        "columns": job.columns or (_CONTENT,),
        "image": job.image or _find_image(job),
    }
    changed = job.model_copy(update=changes)
    source = _describe_source(rows)
    seen = len(rows) + len(problems)
    there_are = len(members)
    return Taken(
        job=changed,
        table=table,
        reading=Reading(source),
        notes=_list_notes(seen, there_are, problems),
    )


def _read_members(
    members: Sequence[Member],
    problems: list[str],
) -> list[Fields]:
    """Return a row for each file, as far as the limits go.

    Args:
        members: of folders, each with its folder.
        problems: why files cannot be read, in words; grows.
    """
    rows: list[Fields] = []
    taken_bytes = 0
    for folder, member in members[:_MOST_FILES]:
        taken_bytes += member.bytes
        # The first one is taken, however large it is.
        if rows and taken_bytes > _MOST_BYTES:
            break
        name = find_name(folder, member)
        root = FileRoot(folder.url)
        content = _read(root, name, problems)
        if content is None:
            continue
        row = {
            _PATH: name,
            _SIZE: member.bytes,
            _CONTENT: content,
        }
        rows.append(row)
    return rows


def _describe_source(rows: Sequence[Fields]) -> Fields:
    """Return what the starter job says of the folder, to read it as it was read here."""
    source: Fields = {"format": "files"}
    for row in rows:
        # Unless it says so itself, it must be read as the folder is now.
        if "/" in row[_PATH]:
            source["recursive"] = True
    return source


def _find_image(job: Job) -> str | None:
    """Return the column of pictures, unless the job says by itself what becomes of them."""
    has_step = any(isinstance(step, Image) for step in job.preprocess)
    library, _, _ = job.network.partition(":")
    is_of_pictures = library in ("torchvision", "timm")
    if has_step or not is_of_pictures:
        return None
    return _CONTENT


def load_named(
    job: Job,
    table: pa.Table,
    steps: tuple[LoadFile, ...],
) -> Taken:
    """Return rows with the contents of the files that they name.

    Args:
        job: the job.
        table: the rows.
        steps: of the job, which name columns of paths.

    Raises:
        JobError: a step that names no column of paths.
        InputError: none of the files can be read.
    """
    rest = [step for step in job.preprocess if not isinstance(step, LoadFile)]
    before = table.num_rows
    problems: list[str] = []
    for step in steps:
        present = table.column_names
        if step.column not in present:
            hint = nearest(step.column, present)
            raise JobError(f"load_file: the sample has no column {step.column!r}{hint}")
        contents = read_named(step, table, problems, _MOST_FILES, _MOST_BYTES)
        column = pa.array(list(contents), type=pa.binary())
        # Rows whose files no longer fit are left out.
        read = table.slice(0, len(column))
        table = read.append_column(step.into, column)

    changes = {
        "preprocess": tuple(rest),
        "columns": job.columns or _list_features(job, table, steps),
    }
    changed = job.model_copy(update=changes)
    absolute = [_make_absolute(step) for step in steps]
    notes = _list_notes(table.num_rows, before, problems)
    return Taken(
        job=changed,
        table=table,
        reading=Reading(steps=tuple(absolute)),
        notes=notes,
    )


def _list_features(job: Job, table: pa.Table, steps: Sequence[LoadFile]) -> Names:
    """Return the columns that a model may see: no paths, as their contents are columns now."""
    paths = [step.column for step in steps]
    hidden = {job.key, job.label, *paths}
    features = [name for name in table.column_names if name not in hidden]
    return tuple(features)


def _make_absolute(step: LoadFile) -> LoadFile:
    """Return a step for the starter job, which may be started in another folder."""
    root = files.to_absolute(step.root)
    return step.model_copy(update={"root": root})


def read_named(
    step: LoadFile,
    table: pa.Table,
    problems: list[str],
    most_files: int,
    most_bytes: int,
) -> Iterator[bytes | None]:
    """Yield the content of each row's file, as far as the limits go; None where there is none.

    Args:
        step: names the column of paths and the root of the files.
        table: the rows.
        problems: why files cannot be read, in words; grows.
        most_files: rows that are looked at.
        most_bytes: after so many no other file is read.

    Raises:
        JobError: the column holds no texts.
        InputError: the root is not there, or its store does not answer.
    """
    url = files.to_absolute(step.root)
    root = FileRoot(url)
    root.refuse_missing()
    paths = table.column(step.column).to_pylist()
    taken_bytes = 0
    for number, path in enumerate(paths):
        if number >= most_files or taken_bytes > most_bytes:
            return
        content = None
        if path is not None:
            content = _read_below(root, path, step.max_bytes, problems)
        if content is not None:
            taken_bytes += len(content)
        yield content


def _read_below(
    root: FileRoot,
    path: Any,
    max_bytes: int,
    problems: list[str],
) -> bytes | None:
    if not isinstance(path, str):
        raise JobError("load_file takes paths, which are texts; name another column")
    try:
        name = root.find_name(path)
        return _read(root, name, problems, max_bytes)
    except RowError as error:
        # By this path there is no file below the root.
        problems.append(str(error))
        return None


def _read(
    root: FileRoot,
    name: str,
    problems: list[str],
    max_bytes: int = _MOST_BYTES,
) -> bytes | None:
    try:
        file = root.describe(name)
        size = file.bytes
        if size > max_bytes:
            raise RowError(f"has {size:,} bytes, more than {max_bytes:,}")
        return root.read(file)
    except (OSError, RowError) as error:
        reason = root.explain(error, name)
        problems.append(reason)
        return None


def _list_notes(seen: int, count: int, problems: Sequence[str]) -> Names:
    """Return what of the sample was left out.

    Args:
        seen: how many of its rows were looked at.
        count: how many there are.
        problems: why files cannot be read.
    """
    notes = []
    if seen < count:
        notes.append(f"the first {seen:,} of {count:,} rows, as their files are read")
    if problems:
        broken = len(problems)
        first = problems[0]
        if broken >= seen:
            raise InputError(f"sample: none of its files can be read, the first: {first}")
        notes.append(f"{broken:,} files cannot be read, the first: {first}")
    return tuple(notes)
