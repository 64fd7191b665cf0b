"""The files of a published run: their final names, and how they get them.

A name carries the digest of its file's content, so that a retried bundle, a second launcher, or a
worker that wakes up late cannot put other content under it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
import errno
from functools import partial
import hashlib
from typing import Any, TypeAlias

from configs.errors import PublishError
from storage import files
from storage.layout import list_below_scored, refuse_link
from storage.output_names import PART_PREFIX, SCORED, is_part
from storage.run_folder import FILE_LIST, FORMER_REJECTED, REJECTED, SUMMARIES, RunFolder
from transforms.batches import WorkUnit, WrittenFile, WrittenPart
from transforms.formats.file_list import count_files
from transforms.output.many_requests import call_for_each

# 48 bits tell two contents of one unit apart: they will not agree in them by chance.
_DIGEST_DIGITS = 12

# A file as the manifest lists it: path, rows, bytes, sha256.
Entry: TypeAlias = dict[str, Any]
Parts: TypeAlias = Sequence[WrittenPart]


@dataclass(frozen=True)
class Move:
    """A stored file, and the name that it gets below the run's folder.

    Attributes:
        former_name: what earlier versions named it there.
    """

    file: WrittenFile
    name: str
    former_name: str


def move_files(
    run: RunFolder,
    parts: Parts,
) -> dict[str, list[Entry]]:
    """Give every file of the chosen parts its final name.

    Args:
        run: the run, in whose folder of attempts the files are.
        parts: the parts that are published.

    Returns:
        `files` and `rejected_files`, an entry for each file, as the manifest has them; and
        `summary_parts`, where the job asks for summaries.

    Raises:
        PublishError: a file is a link that leads out of the output.
        FileNotFoundError: somebody removed files of units that are done; the next run writes them
            again.
    """
    scored = list(_name_scored(parts))
    rejected = list(_name_rejected(parts))
    summarised = list(_name_summaries(parts))
    moves = [*scored, *rejected, *summarised]
    # A move takes a link as it is, and it would then be published.
    no_links: set[str] = set()
    for move in moves:
        stored = _locate_stored(run, move)
        refuse_link(run, stored, PublishError, no_links)

    folders = [run.published, run.scored, *_list_partition_folders(run, scored)]
    if rejected:
        folders.append(run.rejected)
    if summarised:
        folders.append(run.summaries)
    for folder in folders:
        files.make_folder(folder)

    give_name = partial(_give_name, run)
    try:
        entries = {
            "files": call_for_each(run.output, give_name, scored),
            "rejected_files": call_for_each(run.output, give_name, rejected),
        }
        if summarised:
            entries["summary_parts"] = call_for_each(run.output, give_name, summarised)
    except FileNotFoundError:
        _forget_units_without_files(run, moves)
        raise
    # The manifest may list the names only once they are durable.
    for folder in folders:
        files.sync_folder(folder)
    return entries


def publish_file_list(
    run: RunFolder,
    units: Sequence[WorkUnit],
) -> dict[str, Entry]:
    """Put the list of the files that rows name beside the scores, and return its entry `listed_files`.

    Args:
        run: the run.
        units: of its plan.

    Raises:
        FileNotFoundError: somebody removed the list.
    """
    if not any(unit.files for unit in units):
        return {}
    stored = run.listed_files
    content = files.read(stored)
    if content is None:
        raise FileNotFoundError(errno.ENOENT, "the list of files is gone", stored)
    # A copy, and only where there is none: a launcher that was faster has put the same one.
    published = run.published_file_list
    folder, _, _ = published.rpartition("/")
    files.make_folder(folder)
    files.create(published, content, scratch=run.temporary)
    # Its own name, and that of its folder.
    files.sync_folder(folder)
    files.sync_folder(run.published)
    digest = hashlib.sha256(content).hexdigest()
    entry = {
        "path": FILE_LIST,
        "files": count_files(content),
        "bytes": len(content),
        "sha256": digest,
    }
    return {"listed_files": entry}


def remove_strays(run: RunFolder, manifest: Mapping[str, Any]) -> None:
    """Remove parts that an interrupted or losing publication left.

    Args:
        run: the published run.
        manifest: its manifest; the parts that it lists stay.
    """
    scored = manifest["files"]
    rejected = manifest["rejected_files"]
    summarised = manifest.get("summary_parts", []) + manifest.get("summaries", [])
    shards = manifest.get("rejected_shards", [])
    listed = {entry["path"] for entry in scored + rejected + shards + summarised}

    published = run.published
    present = files.list_names(published)
    # An earlier version may have begun this publication, or made it.
    present += list_below_scored(run)
    for folder in (REJECTED, FORMER_REJECTED):
        url = files.join(published, folder)
        names = files.list_names(url)
        present += [f"{folder}/{name}" for name in names]
    names = files.list_names(run.summaries)
    present += [f"{SUMMARIES}/{name}" for name in names]
    for name in present:
        _, _, base_name = name.rpartition("/")
        # Anything but a part is not of this program's making, or is the manifest.
        is_own = is_part(base_name) or name.startswith(f"{SUMMARIES}/")
        if is_own and name not in listed:
            url = files.join(published, name)
            files.remove(url)


def _name_scored(parts: Parts) -> Iterator[Move]:
    # A unit has several parts where a runner broke the order of its batches; its files are numbered
    # through all of them.
    files_by_unit: dict[int, list[WrittenFile]] = {}
    for part in parts:
        files_of_unit = files_by_unit.setdefault(part.unit, [])
        files_of_unit.extend(part.scored)

    for unit, stored in files_by_unit.items():
        for number, file in enumerate(stored):
            place = f"{unit:05d}"
            if len(stored) > 1:
                place += f"-{number:03d}"
            _, _, suffix = file.path.rpartition(".")
            digest = _shorten_digest(file)
            name = f"{PART_PREFIX}{place}-{digest}.{suffix}"
            folder = SCORED
            if file.partition:
                folder = f"{SCORED}/{file.partition}"
            path = f"{folder}/{name}"
            yield Move(file, path, former_name=name)


def _list_partition_folders(run: RunFolder, moves: Sequence[Move]) -> list[str]:
    """Return the folders of columns' values, those above first.

    Raises:
        PublishError: one is a link that leads out of the output.
    """
    folders = set()
    for move in moves:
        folder, _, _ = move.name.rpartition("/")
        while folder not in ("", SCORED):
            folders.add(folder)
            folder, _, _ = folder.rpartition("/")
    urls = [files.join(run.published, folder) for folder in sorted(folders)]
    no_links: set[str] = set()
    for url in urls:
        refuse_link(run, url, PublishError, no_links)
    return urls


def _name_rejected(parts: Parts) -> Iterator[Move]:
    for part in parts:
        for file in part.rejected:
            digest = _shorten_digest(file)
            number = f"{part.unit:05d}"
            name = f"{PART_PREFIX}{number}-{digest}.parquet"
            path = f"{REJECTED}/{name}"
            former_name = f"{FORMER_REJECTED}/{name}"
            yield Move(file, path, former_name)


def _name_summaries(parts: Parts) -> Iterator[Move]:
    files_by_unit: dict[int, list[WrittenFile]] = {}
    for part in parts:
        files_of_unit = files_by_unit.setdefault(part.unit, [])
        files_of_unit.extend(part.summaries)

    for unit, stored in files_by_unit.items():
        for number, file in enumerate(stored):
            # Parts of one unit may know the very same of their rows.
            place = f"{unit:05d}-{number:03d}"
            digest = _shorten_digest(file)
            summary = find_summary_name(file.path)
            path = f"{SUMMARIES}/{PART_PREFIX}{place}-{digest}-{summary}.parquet"
            yield Move(file, path, former_name=path)


def find_summary_name(path: str) -> str:
    """Return the word of the summary that a file is of, which its name ends with.

    >>> find_summary_name("_summaries/part-00007-000-0123456789ab-profile.parquet")
    'profile'
    """
    _, _, ending = path.rpartition("-")
    return ending.removesuffix(".parquet")


def _shorten_digest(file: WrittenFile) -> str:
    return file.sha256[:_DIGEST_DIGITS]


def _locate_stored(run: RunFolder, move: Move) -> str:
    return files.join(run.attempts, move.file.path)


def _locate_published(run: RunFolder, move: Move) -> str:
    return files.join(run.published, move.name)


def _locate_former(run: RunFolder, move: Move) -> str:
    return files.join(run.published, move.former_name)


def _give_name(run: RunFolder, move: Move) -> Entry:
    """Move one file, and return its entry of the manifest."""
    stored = _locate_stored(run, move)
    published = _locate_published(run, move)
    try:
        files.move(stored, published)
    except FileNotFoundError:
        if not _take_up_former(run, move):
            raise
    file = move.file
    return {
        "path": move.name,
        "rows": file.rows,
        "bytes": file.bytes,
        "sha256": file.sha256,
    }


def _take_up_former(run: RunFolder, move: Move) -> bool:
    """Give a file its name that an earlier version named, which was killed before its manifest stood.

    Tell whether the file is there.
    """
    former = _locate_former(run, move)
    refuse_link(run, former, PublishError, set())
    # The former name stays until a manifest stands: that version may still be at work.
    published = _locate_published(run, move)
    with suppress(FileNotFoundError):
        files.link_or_copy(former, published)
    # Another launcher may have been faster, and have removed the former name.
    return files.exists(published)


def _forget_units_without_files(run: RunFolder, moves: Sequence[Move]) -> None:
    """Remove the done-records of units whose files are gone.

    So the next run writes them again.
    """
    for move in moves:
        # Under its final name where this launcher, or another one, has moved it already.
        places = (
            _locate_stored(run, move),
            _locate_published(run, move),
            _locate_former(run, move),
        )
        if any(map(files.exists, places)):
            continue
        # The name of an attempt's file begins with the number of its unit.
        number, _, _ = move.file.path.partition("-")
        unit = int(number)
        files.remove(run.done_record(unit))
