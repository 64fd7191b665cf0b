"""Remove runs that no reader needs any more: `python -m pipelines.prune OUTPUT --older_than_days 30`.

Kept are the run that CURRENT names, the one published last before it (readers may still be in it, and it is the way back), and all
that is younger than asked. What interrupted and refused runs left in `_tmp` goes at the same age. An output whose folders are dates
(`dt=...`) is gone through date by date.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
import json

from fsspec.core import url_to_fs

from configs.errors import JobError, PublishError
from pipelines.command_line import EXIT_STATUSES, Parser, run_program
from pipelines.leaving import leave
from storage import files
from storage.layout import RunFolder, current_run, read_manifest, remove_temporary
from storage.lock import kept_free


def main(argv: Sequence[str]) -> int:
    """Remove as the command line says, and return the exit status."""
    arguments = _parse(argv)
    before = datetime.now(UTC) - timedelta(days=arguments.older_than_days)
    for output in _outputs(files.absolute(arguments.output)):
        for run in superseded(output, before):
            _remove_published(run, arguments.dry_run)
        for run in abandoned(output, before):
            _remove_abandoned(run, arguments.dry_run)
    return 0


def superseded(output: str, before: datetime) -> list[RunFolder]:
    """Published runs older than that, but for the current one and the last one before it; none where nothing is current.

    Raises:
        VerifyError: the manifest of the current run is missing, so that this output needs a look.
    """
    if current_run(output) is None:
        return []
    current, _ = read_manifest(output)
    others = [run for run in _runs(output, "runs") if run.run_id != current.run_id]
    published = [(published_at, run.run_id, run) for run in others if (published_at := _published_at(run)) is not None]
    return [run for published_at, _, run in sorted(published, reverse=True)[1:] if published_at < before]


def abandoned(output: str, before: datetime) -> Iterator[RunFolder]:
    """Runs that left files which no manifest lists, the last of them written before that."""
    runs = {run.run_id: run for below in ("_tmp", "runs") for run in _runs(output, below)}
    for run in runs.values():
        left = _left_by(run)
        if left and max(map(_last_written, left)) < before:
            yield run


def _outputs(output: str) -> list[str]:
    """The output itself, or its dates, as far as runs are there.

    Raises:
        JobError: nothing there is an output.
    """
    folders = [output, *(files.join(output, name) for name in files.names_in(output) if name.startswith("dt="))]
    found = [folder for folder in folders if {"runs", "_tmp"} & set(files.names_in(folder))]
    if not found:
        raise JobError(f"{output}: holds no runs, itself or in folders dt=...; name the --output of pipelines.score")
    return found


def _runs(output: str, below: str) -> Iterator[RunFolder]:
    return (RunFolder(output, name) for name in files.names_in(files.join(output, below)))


def _published_at(run: RunFolder) -> datetime | None:
    content = files.read(run.manifest)
    return datetime.fromisoformat(json.loads(content)["published_at"]) if content else None


def _left_by(run: RunFolder) -> list[str]:
    """Its temporary files, and what a publication that was killed, or a removal that was, left without a manifest."""
    folders = [run.temporary] if files.exists(run.manifest) else [run.temporary, run.published]
    return [folder for folder in folders if files.exists(folder)]


def _last_written(folder: str) -> datetime:
    fs, path = url_to_fs(folder)
    return max((fs.modified(name).astimezone(UTC) for name in fs.find(path)), default=datetime.min.replace(tzinfo=UTC))


def _remove_published(run: RunFolder, dry_run: bool) -> None:
    """The manifest goes first: a run that is half gone must not be taken for published when the same work comes again."""
    with _removal(run.published, dry_run) as meant:
        if meant:
            files.remove(run.manifest)
            files.remove(run.published)


def _remove_abandoned(run: RunFolder, dry_run: bool) -> None:
    """The done-records go first, as they name the files; nothing goes while a launcher here is working on the run."""
    with kept_free(run) if files.is_local(run.output) else nullcontext(True) as free:
        for folder in _left_by(run) if free else ():
            with _removal(folder, dry_run) as meant:
                if meant and folder == run.temporary:
                    remove_temporary(run)
                elif meant:
                    files.remove(folder)


@contextmanager
def _removal(folder: str, dry_run: bool) -> Iterator[bool]:
    """Say what goes, or would go, and whether it is meant."""
    print(f"{'would remove' if dry_run else 'removing'}: {folder}")
    try:
        yield not dry_run
    except OSError as error:
        raise PublishError(f"{folder}: cannot be removed: {error.strerror or error}; mend the folder and run again") from error


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser("pipelines.prune", "Remove superseded and abandoned runs; never the current one.", EXIT_STATUSES)
    parser.add_argument(
        "output", metavar="OUTPUT", help="output folder of pipelines.score, or the one that holds its dt=... folders"
    )
    parser.add_argument("--older_than_days", type=_days, required=True, metavar="N", help="keep what is younger, at least 1")
    parser.add_argument("--dry_run", action="store_true", help="only say what would be removed")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments, unknown = parser.parse_known_args(list(argv))
    parser.refuse_unknown(unknown)
    return arguments


def _days(text: str) -> int:
    days = int(text)
    if days < 1:
        raise ValueError
    return days


if __name__ == "__main__":
    leave(run_program(main))
