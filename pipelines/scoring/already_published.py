"""Say that a run is published, and lead readers to it: all that is left to do where it was published before.

Apart from the launch, as this needs no Beam, which takes a second to import.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from configs.errors import HeldError, PublishError, VerifyError, refusal_of
from configs.redaction import shown_with_class
from pipelines.cli.run_log import RunLog
from pipelines.planning.plan import Plan
from pipelines.scoring import summary
from pipelines.scoring.status import told_plainly
from storage import inputs
from storage.layout import find_current_run, is_held, is_published, read_held, read_manifest
from storage.run_folder import RunFolder
from transforms.announce import announce
from transforms.hold import end_as_held
from transforms.output.many_requests import call_for_each

# Of a folder that somebody emptied, the first ones tell it.
_SHOWN_PROBLEMS = 3


def say_already_published(plan: Plan, log: RunLog) -> int:
    """Point readers at a run that stands, and return the exit status.

    Args:
        plan: what was to be done.
        log: where to say it.

    Raises:
        SupersededError: readers stay with a run that was planned later.
        VerifyError: the run is not whole any more.
        PublishError: the output cannot be read, or the run was just removed.
    """
    with told_plainly(plan.run.output):
        run, manifest = read_manifest(plan.run.output, plan.run.run_id)
        _refuse_damaged(run, manifest)
    # Before readers are led to this run, which may be older than the one that they read now.
    before = _find_current_run(plan.run.output)
    announce(plan.run, plan.planned_at)
    log.facts.published = True
    if before not in (None, plan.run.run_id):
        log.tell(
            "current_moved",
            f"current: readers are led to run {plan.run.run_id} now; "
            f"so far they read run {before}, which stays in its folder",
        )
    if log.is_for_people:
        log.say(
            f"already published: run {plan.run.run_id}, the same inputs, model and settings; "
            "nothing to do"
        )
    with telling(log):
        log.tell_already_published(run, manifest)
        show_reading_line(plan, run, manifest, log)
    return 0


def _refuse_damaged(run: RunFolder, manifest: summary.Manifest) -> None:
    """Refuse a run of which a file with rows is gone, or is not as large as it was.

    Every night asks, so no content is read: `pipelines.verify` does that.
    """
    names = ("files", "rejected_files", "rejected_shards")
    entries = [entry for name in names for entry in manifest.get(name, ())]
    look = partial(_find_damage, run)
    problems = call_for_each(run.published, look, entries)
    found = [problem for problem in problems if problem is not None]
    if not found:
        return
    # Its manifest goes first; scored again, it is whole.
    if not is_published(run):
        raise PublishError(
            f"{run.published}: was removed by another program; run the same command again"
        )
    shown = "; ".join(found[:_SHOWN_PROBLEMS])
    if len(found) > _SHOWN_PROBLEMS:
        shown += f"; and {len(found) - _SHOWN_PROBLEMS:,} more"
    raise VerifyError(
        f"{run.published}: is published, but not whole: {shown}; move it away, "
        "and score the input again to publish it anew"
    )


def _find_damage(run: RunFolder, entry: Mapping[str, Any]) -> str | None:
    path = entry["path"]
    try:
        file = inputs.describe_url(f"{run.published}/{path}")
    except FileNotFoundError:
        return f"{path} is missing"
    if file.bytes != entry["bytes"]:
        return f"{path} has {file.bytes:,} bytes instead of {entry['bytes']:,}"
    return None


def refuse_held_again(plan: Plan, log: RunLog) -> None:
    """Say that a run was held back before, as it is said the first time.

    Args:
        plan: what was to be done.
        log: where to say it.

    Raises:
        HeldError: it was.
    """
    # A run without summaries never is.
    if not plan.summaries or not is_held(plan.run):
        return
    try:
        end_as_held(plan.run)
    except HeldError as error:
        tell_held(plan.run, error, log)
        raise


def tell_held(run: RunFolder, error: Exception, log: RunLog) -> None:
    """Tell machines of the findings of a run that is held back.

    Args:
        run: the run.
        error: what its launch failed with; nothing is told of others.
        log: where to tell it.
    """
    if not isinstance(refusal_of(error), HeldError):
        return
    with telling(log, "held back"):
        document = read_held(run)
        if document is not None:
            log.facts.run = run
            log.tell_monitor(document)


def show_reading_line(
    plan: Plan,
    run: RunFolder,
    manifest: summary.Manifest,
    log: RunLog,
) -> None:
    """Show people how to read what is published.

    Args:
        plan: what was to be done.
        run, manifest: what is published.
        log: where to say it.
    """
    if log.is_for_people:
        file_format = plan.job.sink.format
        line = summary.reading_line(run, manifest, file_format)
        log.say(line)


@contextmanager
def telling(log: RunLog, how: str = "published") -> Iterator[None]:
    """Let no error in the block change the outcome of a run that stands; it is said.

    Args:
        log: where to say it.
        how: the run stands.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - readers have the scores, whatever fails now
        reason = shown_with_class(error)
        message = f"the run is {how}, but not all of it can be shown: {reason}"
        log.tell_trouble("not_shown", message)


def _find_current_run(output: str) -> str | None:
    """Return the id of the run that readers read; None where CURRENT names none."""
    try:
        return find_current_run(output)
    except (VerifyError, OSError):
        # It is about to be written anew, and whatever hinders that is told then.
        return None
