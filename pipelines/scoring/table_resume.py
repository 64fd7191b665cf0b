"""A killed run of a table goes on with the version that it began with, though the table has moved on.

The run's id holds that version, so that today's newest one would be another run, and the rows that
are scored already would be scored again or never be published.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from configs.errors import InputError, Refusal
from pipelines.cli.run_log import RunLog
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.plan import Plan
from storage import files
from storage.layout import is_published
from storage.lock import keep_free
from storage.run_folder import RunFolder
from transforms.output.plan_file import read_plan

MakePlan: TypeAlias = Callable[[int | None], Plan]


def plan_or_resume(job: ScoringJob, make_plan: MakePlan, log: RunLog) -> Plan:
    """Return the plan of the newest version, or of the one that an unfinished run began with.

    Args:
        job: the job.
        make_plan: makes the job's plan, of the newest version or of a numbered one.
        log: where to say which version is read.

    Raises:
        Refusal: as `make_plan`.
    """
    plan = make_plan(None)
    source = job.source
    is_chosen = any(chosen is not None for chosen in (source.version, source.snapshot))
    is_chosen = is_chosen or source.ref is not None or source.timestamp is not None
    if plan.table is None or is_chosen:
        return plan
    # What is done or begun already is of the newest version.
    if is_published(plan.run) or files.exists(plan.run.plan):
        return plan
    newest = plan.table.snapshot.version
    for version, run in _list_unfinished(plan):
        try:
            earlier = make_plan(version)
        except Refusal as error:
            message = f"run {run.run_id}, of version {version}, cannot go on: {error}"
            log.tell_trouble("table_not_resumed", message)
            continue
        # Else its job, its model or a file was another one.
        if earlier.run == run:
            log.tell(
                "table_resumed",
                f"table: version {version}, which unfinished run {run.run_id} began with; the newest "
                f"is {newest}: run again after it, or say source.version or source.snapshot",
            )
            return earlier
    return plan


def _list_unfinished(plan: Plan) -> Iterator[tuple[int, RunFolder]]:
    """Yield other versions of the plan's table, and the runs that began with them and were killed."""
    if plan.table is None:
        return
    told = plan.table.describe()
    folder = files.join(plan.run.output, "_tmp")
    for name in files.list_names(folder):
        run = RunFolder(plan.run.output, name)
        if name == plan.run.run_id or is_published(run) or not _is_dead(run):
            continue
        try:
            stored = read_plan(run.plan).table or {}
        # Another launcher has cleaned up, or it was killed before it had a plan.
        except (InputError, OSError, ValueError):
            continue
        version = stored.get("version")
        is_same = {**stored, "version": told["version"]} == told
        if is_same and isinstance(version, int):
            yield version, run


def _is_dead(run: RunFolder) -> bool:
    """Tell whether a run has no launcher on this machine; of others nobody knows."""
    if not files.is_local(run.output):
        return True
    with keep_free(run) as is_free:
        return is_free
