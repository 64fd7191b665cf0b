"""Remove runs that no reader needs any more.

For example `python -m pipelines.prune OUTPUT --older_than_days 30`.

Kept are the run that CURRENT names, the one published last before it (readers may still be in it,
and it is the way back), and all that is younger than asked. What interrupted and refused runs left
in `_tmp` goes at the same age. An output whose folders are dates (`dt=...`) is gone through date by
date.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from fsspec.core import url_to_fs

from configs.errors import JobError, PublishError, VerifyError
from pipelines.cli.command_line import run_program, say
from pipelines.cli.parser import EXIT_STATUSES, Parser, parse_count
from pipelines.cli.readable import told_as_unreadable
from pipelines.cli.shutdown import end_process
from storage import files
from storage.json_pieces import parse_json
from storage.layout import (
    find_current_run,
    find_manifest,
    is_held,
    is_published,
    read_manifest,
    remove_temporary,
)
from storage.lock import keep_free
from storage.run_folder import RunFolder


class _Published(NamedTuple):
    """A published run, in the order of publication."""

    at: datetime
    run_id: str
    run: RunFolder


def main(argv: Sequence[str]) -> int:
    """Remove as the command line says, and return the exit status."""
    arguments = _parse(argv)
    before = _find_end(arguments.older_than_days)
    with told_as_unreadable(arguments.output):
        _prune(arguments, before)
    return 0


def _find_end(days: int) -> datetime:
    """Return the time before which all is old."""
    try:
        return datetime.now(UTC) - timedelta(days=days)
    except OverflowError:
        # Nothing is as old as that.
        return datetime.min.replace(tzinfo=UTC)


def _prune(arguments: argparse.Namespace, before: datetime) -> None:
    named = files.to_absolute(arguments.output)
    for output in _list_outputs(named):
        for run in find_superseded(output, before):
            _remove_published(run, arguments.dry_run)
        for run in find_abandoned(output, before):
            _remove_abandoned(run, arguments.dry_run)
        for run in find_held(output, before):
            if arguments.held:
                _remove_held(run, arguments.dry_run)
            else:
                say(
                    f"keeping: {run.published}, which is held back: pipelines.release decides of it"
                )


def find_superseded(output: str, before: datetime) -> list[RunFolder]:
    """Return published runs that are old, but for the current one and the last one before it.

    None where nothing is current.

    Args:
        output: the output folder.
        before: old is what was published before that.

    Raises:
        VerifyError: the manifest of the current run is missing, so that this output needs a look.
    """
    if find_current_run(output) is None:
        return []
    current, _ = read_manifest(output)
    published: list[_Published] = []
    for run in _list_runs(output, "runs"):
        published_at = _read_time(run)
        if published_at is None or run.run_id == current.run_id:
            continue
        entry = _Published(published_at, run.run_id, run)
        published.append(entry)
    # The latest is kept whatever its age: readers may be in it.
    superseded = sorted(published, reverse=True)[1:]
    return [other.run for other in superseded if other.at < before]


def find_abandoned(output: str, before: datetime) -> Iterator[RunFolder]:
    """Yield runs that left files which no manifest lists.

    Args:
        output: the output folder.
        before: the last of these files was written before that.
    """
    unfinished = _list_runs(output, "_tmp")
    published = _list_runs(output, "runs")
    # Each once, whether its files are in one place or in both.
    runs = dict.fromkeys([*unfinished, *published])
    for run in runs:
        left = _list_left(run)
        if not left:
            continue
        last_written = max(_find_last_written(folder) for folder in left)
        if last_written < before:
            yield run


def find_held(output: str, before: datetime) -> Iterator[RunFolder]:
    """Yield runs that are held back from being published.

    Args:
        output: the output folder.
        before: the last of their files was written before that.
    """
    for run in _list_runs(output, "runs"):
        if is_held(run) and _find_last_written(run.published) < before:
            yield run


def _list_outputs(output: str) -> list[str]:
    """Return the output itself, or its dates, as far as runs are there.

    Raises:
        JobError: nothing there is an output.
    """
    folders = [output]
    for name in files.list_names(output):
        if name.startswith("dt="):
            date = files.join(output, name)
            folders.append(date)
    found = [folder for folder in folders if _holds_runs(folder)]
    if not found:
        raise JobError(
            f"{output}: holds no runs, itself or in folders dt=...; "
            "name the --output of pipelines.score"
        )
    return found


def _holds_runs(folder: str) -> bool:
    names = files.list_names(folder)
    return "runs" in names or "_tmp" in names


def _list_runs(output: str, below: str) -> list[RunFolder]:
    folder = files.join(output, below)
    names = files.list_names(folder)
    return [RunFolder(output, name) for name in names]


def _read_time(run: RunFolder) -> datetime | None:
    """Return when a run was published; None when it was not."""
    url = find_manifest(run)
    content = files.read(url) if url else None
    if not content:
        return None
    try:
        manifest = parse_json(content)
        return datetime.fromisoformat(manifest["published_at"])
    except (KeyError, TypeError, ValueError) as error:
        raise VerifyError(
            f"{url}: is not a manifest, so nothing is removed; move {run.published} away, and run again"
        ) from error


def _list_left(run: RunFolder) -> list[str]:
    """Return a run's folders of files that no manifest lists.

    A publication that was killed, or a removal that was, left the second one.
    """
    folders = [run.temporary]
    # One that is held back stands whole, and waits for a person.
    if not is_published(run) and not is_held(run):
        folders.append(run.published)
    return [folder for folder in folders if files.exists(folder)]


def _find_last_written(folder: str) -> datetime:
    fs, path = url_to_fs(folder)
    # An empty folder is as old as can be.
    last_written = datetime.min.replace(tzinfo=UTC)
    for name in fs.find(path):
        written = fs.modified(name).astimezone(UTC)
        last_written = max(last_written, written)
    return last_written


def _remove_published(run: RunFolder, dry_run: bool) -> None:
    with _removal(run.published, dry_run) as is_meant:
        if is_meant:
            # First: a run that is half gone must not be taken for published when the same work
            # comes again.
            files.remove(run.manifest)
            files.remove(run.former_manifest)
            files.remove(run.published)


def _remove_held(run: RunFolder, dry_run: bool) -> None:
    with _removal(run.published, dry_run) as is_meant:
        if is_meant:
            # First: what is half gone must not be released.
            files.remove(run.held)
            files.remove(run.published)


def _remove_abandoned(run: RunFolder, dry_run: bool) -> None:
    """Remove what a run left, unless a launcher here is working on it."""
    with _kept_free(run) as is_free:
        folders = _list_left(run) if is_free else []
        for folder in folders:
            with _removal(folder, dry_run) as is_meant:
                # Temporary files go in an order of their own: done-records first, as they name the
                # others.
                if is_meant and folder == run.temporary:
                    remove_temporary(run)
                elif is_meant:
                    files.remove(folder)


def _kept_free(run: RunFolder) -> AbstractContextManager[bool]:
    if files.is_local(run.output):
        return keep_free(run)
    # A store has no locks; there only the age tells.
    return nullcontext(True)


@contextmanager
def _removal(folder: str, dry_run: bool) -> Iterator[bool]:
    """Say what goes, or would go, and tell whether it is meant."""
    verb = "would remove" if dry_run else "removing"
    say(f"{verb}: {folder}")
    try:
        yield not dry_run
    except OSError as error:
        reason = error.strerror or error
        raise PublishError(
            f"{folder}: cannot be removed: {reason}; mend the folder and run again"
        ) from error


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.prune",
        "Remove superseded and abandoned runs; never the current one.",
        EXIT_STATUSES,
    )
    output = "output folder of pipelines.score, or the one that holds its dt=... folders"
    parser.add_argument("output", metavar="OUTPUT", help=output)
    younger = "keep what is younger, at least 1"
    # Not 0: readers of a run that was current a moment ago must have time to finish.
    parser.add_argument(
        "--older_than_days", type=parse_count, required=True, metavar="N", help=younger
    )
    held = "remove old runs that are held back by their monitor, too"
    parser.add_argument("--held", action="store_true", help=held)
    parser.add_argument("--dry_run", action="store_true", help="only say what would be removed")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser.parse_whole(argv)


if __name__ == "__main__":
    end_process(run_program(main))
