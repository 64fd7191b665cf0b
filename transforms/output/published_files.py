"""The files of a published run: their final names, and how they get them.

A name carries the digest of its file's content, so that a retried bundle, a second launcher, or a worker
that wakes up late cannot put other content under it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from configs.errors import PublishError
from storage import files
from storage.layout import RunFolder, refuse_link
from transforms.batches import WrittenFile, WrittenPart
from transforms.output.many_requests import call_for_each

REJECTED = "rejected"
Move = tuple[WrittenFile, str]


def move_files(run: RunFolder, parts: Sequence[WrittenPart]) -> dict[str, list[dict[str, Any]]]:
    """Give every file of the chosen parts its final name.

    Returns:
        `files` and `rejected_files`, an entry for each file, as the manifest has them.

    Raises:
        FileNotFoundError: somebody removed files of units that are done; they will be written again.
    """
    scored, rejected = list(_scored_moves(parts)), list(_rejected_moves(parts))
    for file, _ in (*scored, *rejected):
        refuse_link(run, files.join(run.attempts, file.path), PublishError)
    folders = [run.published]
    if rejected:
        folders.append(files.join(run.published, REJECTED))
    for folder in folders:
        files.make_folder(folder)
    try:
        entries = {
            "files": call_for_each(run.output, lambda move: _move(run, *move), scored),
            "rejected_files": call_for_each(run.output, lambda move: _move(run, *move), rejected),
        }
    except FileNotFoundError:
        _forget_units_without_files(run, [*scored, *rejected])
        raise
    for folder in folders:
        files.sync_folder(folder)
    return entries


def remove_strays(run: RunFolder, manifest: Mapping[str, Any]) -> None:
    """Remove files that an interrupted or losing publication left, and the manifest does not list."""
    listed = {entry["path"] for entry in manifest["files"] + manifest["rejected_files"]}
    rejected = files.list_names(files.join(run.published, REJECTED))
    present = files.list_names(run.published) + [f"{REJECTED}/{name}" for name in rejected]
    for name in present:
        is_part = name.removeprefix(f"{REJECTED}/").startswith("part-")
        if is_part and name not in listed:
            files.remove(files.join(run.published, name))


def _scored_moves(parts: Sequence[WrittenPart]) -> Iterator[Move]:
    by_unit: dict[int, list[WrittenFile]] = {}
    for part in parts:
        by_unit.setdefault(part.unit, []).extend(part.scored)
    for unit, stored in by_unit.items():
        for number, file in enumerate(stored):
            middle = f"-{number:03d}" if len(stored) > 1 else ""
            suffix = file.path.rsplit(".", 1)[1]
            yield file, f"part-{unit:05d}{middle}-{file.sha256[:12]}.{suffix}"


def _rejected_moves(parts: Sequence[WrittenPart]) -> Iterator[Move]:
    for part in parts:
        for file in part.rejected:
            yield file, f"{REJECTED}/part-{part.unit:05d}-{file.sha256[:12]}.parquet"


def _move(run: RunFolder, file: WrittenFile, name: str) -> dict[str, Any]:
    files.move(files.join(run.attempts, file.path), files.join(run.published, name))
    return {"path": name, "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256}


def _forget_units_without_files(run: RunFolder, moves: Sequence[Move]) -> None:
    """Remove the done-records of units whose files are gone, so that the next run writes them again."""
    for file, name in moves:
        places = (files.join(run.attempts, file.path), files.join(run.published, name))
        if not any(files.exists(place) for place in places):
            unit = int(file.path.partition("-")[0])
            files.remove(run.done_record(unit))
