"""Release a run that its monitor holds back, or discard it."""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from configs.errors import JobError, SupersededError, VerifyError
from pipelines.cli.account import find_user
from pipelines.cli.command_line import open_log, say
from pipelines.cli.readable import told_as_unreadable
from pipelines.reporting.written_page import locate_report
from pipelines.scoring.run_report import leave_report
from pipelines.verifying.run_problems import find_problems
from storage import files
from storage.layout import is_published, read_held, read_manifest
from storage.run_folder import RunFolder, is_plain
from transforms.announce import announce
from transforms.output.manifest import encode_manifest
from transforms.publish_errors import storage_errors

Manifest: TypeAlias = Mapping[str, Any]


def release_run(arguments: argparse.Namespace) -> None:
    """Publish a run that is held, or remove it.

    Args:
        arguments: output and run, who decides, and why.

    Raises:
        JobError: no run can be called so.
    """
    if not is_plain(arguments.run):
        raise JobError(f"{arguments.run!r} cannot be the id of a run; name a folder in its runs/")
    with told_as_unreadable(arguments.output):
        output = files.to_absolute(arguments.output)
    run = RunFolder(output, arguments.run)
    decide = _discard if arguments.discard else _release
    decide(run, arguments)


def _release(run: RunFolder, arguments: argparse.Namespace) -> None:
    """Publish a run that is held, by the rules of every publication.

    Raises:
        VerifyError: it is not held, or not what it was when it was.
        SupersededError: it is published, and readers stay with a run that was planned later.
    """
    held = _read_held(run)
    if not is_published(run):
        document = _expect_held(run, held)
        _refuse_problems(run, document)
        _create_manifest(run, document, arguments)
    if files.exists(locate_report(run)):
        # It is still that of a run that is held back.
        leave_report(run, open_log([]))
    _, manifest = read_manifest(run.output, run.run_id)
    released = manifest.get("released")
    if released is None:
        raise VerifyError(
            f"{run.published}: is published, and was not held back; nothing to release"
        )
    planned_at = datetime.fromisoformat(manifest["planned_at"])
    try:
        # As it may have been killed before readers were led here.
        announce(run, planned_at)
    except SupersededError as error:
        raise SupersededError(
            f"{error}".replace("run the same command", "run its pipelines.score")
        ) from error
    by, at, reason = (released[name] for name in ("by", "at", "reason"))
    say(f"released: run {run.run_id}, by {by} at {at}: {reason}")


def _discard(run: RunFolder, arguments: argparse.Namespace) -> None:
    """Remove a run that is held; the same work is scored anew when it is asked for again.

    Raises:
        VerifyError: it is published, or being written.
        PublishError: it cannot be removed.
    """
    held = _read_held(run)
    # What a discard that was killed has left is held no more, and nobody works on it.
    is_left = files.exists(run.published) and not files.exists(run.temporary)
    if is_published(run) or not is_left:
        _expect_held(run, None if is_published(run) else held)
    with storage_errors(run, "cannot be removed"):
        # The word that holds it before its files: what is half gone must not be released.
        files.remove(run.temporary)
        files.remove(run.held)
        files.remove(run.published)
    say(f"discarded: run {run.run_id}: {arguments.reason}")


def _read_held(run: RunFolder) -> dict[str, Any] | None:
    with storage_errors(run, "cannot be read"):
        return read_held(run)


def _expect_held(
    run: RunFolder,
    held: dict[str, Any] | None,
) -> dict[str, Any]:
    if held is not None:
        return held
    raise VerifyError(
        f"{run.published}: is no run that is held back; name one that ended with status 6, by the id "
        "that its last line has"
    )


def _refuse_problems(run: RunFolder, document: Manifest) -> None:
    problems = list(find_problems(run, document, is_current=False))
    if problems:
        told = "; ".join(problems)
        raise VerifyError(
            f"{run.published}: {told}; discard it with --discard, and score the input again"
        )


def _create_manifest(
    run: RunFolder,
    document: dict[str, Any],
    arguments: argparse.Namespace,
) -> None:
    now = datetime.now(UTC)
    released = {
        "by": arguments.by or find_user(),
        "at": now.isoformat(timespec="seconds"),
        "reason": arguments.reason,
    }
    # Lists that may be long come packed, and stand line by line in a manifest.
    content = {**document, "units": iter(document["units"]), "released": released}
    text = encode_manifest(content)
    with storage_errors(run):
        # In a folder of its own, which is removed as other temporary files are.
        files.make_folder(run.temporary)
        # Where another release was faster, its own word stands.
        files.create(run.manifest, text, scratch=run.temporary)
        files.sync_folder(run.published)
