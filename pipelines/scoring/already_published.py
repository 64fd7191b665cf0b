"""Say that a run is published, and lead readers to it: all that is left to do where it was published before.

Apart from the launch, as this needs no Beam, which takes a second to import.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from configs.errors import VerifyError
from configs.redaction import shown_with_class
from pipelines.cli.run_log import RunLog
from pipelines.planning.plan import Plan
from pipelines.scoring import summary
from storage.layout import find_current_run, read_manifest
from storage.run_folder import RunFolder
from transforms.announce import announce


def say_already_published(plan: Plan, log: RunLog) -> int:
    """Point readers at a run that stands, and return the exit status.

    Args:
        plan: what was to be done.
        log: where to say it.

    Raises:
        SupersededError: readers stay with a run that was planned later.
    """
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
        run, manifest = read_manifest(plan.run.output, plan.run.run_id)
        log.tell_already_published(run, manifest)
        show_reading_line(plan, run, manifest, log)
    return 0


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
def telling(log: RunLog) -> Iterator[None]:
    """Let no error in the block change the outcome of a run that is published; it is said."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - readers have the scores, whatever fails now
        reason = shown_with_class(error)
        message = f"the run is published, but not all of it can be shown: {reason}"
        log.tell_trouble("not_shown", message)


def _find_current_run(output: str) -> str | None:
    """Return the id of the run that readers read; None where CURRENT names none."""
    try:
        return find_current_run(output)
    except (VerifyError, OSError):
        # It is about to be written anew, and whatever hinders that is told then.
        return None
