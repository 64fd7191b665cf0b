"""Run a planned graph, and say how it ended."""

from collections.abc import Callable, Mapping
import time
import traceback
from typing import Any, Literal, TypeAlias

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    PipelineOptions,
    SetupOptions,
    StandardOptions,
)

from configs.errors import (
    InputError,
    OtherContentError,
    PublishError,
    SupersededError,
    refusal_of,
)
from configs.redaction import shown_with_class
from pipelines.cli.command_line import workers_kept_quiet
from pipelines.cli.run_log import RunLog
from pipelines.cli.shutdown import cancelled_when_stopped
from pipelines.planning.manifest_head import manifest_head
from pipelines.planning.plan import Plan, store_plan
from pipelines.planning.workers import Workers
from pipelines.runners.beam_private import (
    flush_by_size_alone,
    gather_temporary_folders,
    graphs_made_quickly,
)
from pipelines.runners.flink import make_cancellation
from pipelines.runners.options import (
    processes_per_machine,
    starts_elsewhere,
    use_tuned_workers,
    workers_per_machine,
)
from pipelines.scoring import summary
from pipelines.scoring.already_published import (
    say_already_published,
    show_reading_line,
    tell_held,
    telling,
)
from pipelines.scoring.planned_job import PlannedJob
from pipelines.scoring.progress import RowsDone, shown_progress
from pipelines.scoring.reuse import find_run_to_reuse, reuse_units
from pipelines.scoring.stale_runs import launcher_lock_held, remove_superseded
from storage.layout import is_published, read_manifest
from storage.run_folder import RunFolder
from transforms.announce import announce
from transforms.output.books import NOT_WHOLE
from transforms.output.done_record import remove_torn_records
from transforms.publish_errors import make_unwritable

# Takes a pipeline, the plan, and the workers of a machine.
Build: TypeAlias = Callable[[beam.Pipeline, Plan, Workers], object]


def launch_planned(planned: PlannedJob, build: Build, log: RunLog) -> int:
    """Run a plan to its end, alone of all launchers, and return the exit status.

    Args:
        planned: what is to be done, and where.
        build: makes the graph, as for `launch`.
        log: what is told of the run.

    Raises:
        Refusal: the run failed.
    """
    plan, runner, reuse_from = planned
    options = runner.options
    # The machines of a cluster are others than the one that was tuned.
    if not runner.is_cluster:
        use_tuned_workers(options, runner.flags, plan.inference.workers)
    with launcher_lock_held(plan.run, plan.job.name, runner.is_cluster):
        head = manifest_head(plan)
        return launch(plan, head, options, build, reuse_from, log)


def launch(
    plan: Plan,
    head: Mapping[str, Any],
    options: PipelineOptions,
    build: Build,
    reuse_from: str | None,
    log: RunLog,
) -> int:
    """Run the graph to its end, and return the exit status.

    Args:
        plan: what the run does.
        head: what the launcher knows of the run for its manifest; a run that is reused must be like
            it.
        options: the runner and its options.
        build: makes the graph of a pipeline, the plan, and the workers of a machine.
        reuse_from: the run whose unchanged units are taken as they are.
        log: where to say what happens.

    Raises:
        Refusal: whatever the graph, or its runner, fails with.
    """
    began = time.perf_counter()
    try:
        plan = _prepare(plan, head, reuse_from, log)
        rows_done = RowsDone(plan.run, plan.units, since=time.time())
        resumed_rows = _count_resumed(rows_done, log)
        log.tell_resumed(resumed_rows)
        log.describe_left = rows_done.describe_left
        goes_on_alone = _run_graph(plan, options, build, rows_done, log)
    except Exception as error:
        publisher = _find_publisher(plan, head["planned_at"], error)
        if publisher is None:
            tell_held(plan.run, error, log)
            raise
        if publisher == "another":
            return say_already_published(plan, log)
        # What failed is the end of this launch's own publication, or what its runner did after.
        goes_on_alone = False
        announce(plan.run, plan.planned_at)
        mended = _describe_mended(error)
        log.tell_trouble("mended", f"{plan.run.published}: {mended}")
    if goes_on_alone:
        return 0
    seconds = time.perf_counter() - began
    return _say_published(plan, resumed_rows, seconds, log)


def _run_graph(
    plan: Plan,
    options: PipelineOptions,
    build: Build,
    rows_done: RowsDone,
    log: RunLog,
) -> bool:
    """Hand the graph to its runner and wait for it; tell whether the job goes on alone instead."""
    flush_by_size_alone()
    gather_temporary_folders(_has_requirements(options))
    with graphs_made_quickly():
        pipeline = beam.Pipeline(options=options)
        workers = Workers(workers_per_machine(options), processes_per_machine(options))
        build(pipeline, plan, workers)
        return _run_pipeline(pipeline, plan, options, rows_done, log)


def _run_pipeline(
    pipeline: beam.Pipeline,
    plan: Plan,
    options: PipelineOptions,
    rows_done: RowsDone,
    log: RunLog,
) -> bool:
    """Wait for a pipeline as long as it runs here; tell whether its job goes on alone instead."""
    with workers_kept_quiet(), shown_progress(rows_done, plan.rows, log):
        result = pipeline.run()
        if _goes_on_alone(options):
            _say_submitted(plan, result, log)
            return True
        cancel = make_cancellation(options, result)
        with cancelled_when_stopped(cancel):
            result.wait_until_finish()
    return False


def _find_manifest(plan: Plan, error: Exception) -> Mapping[str, Any] | None:
    """Return the manifest that stands though a launch failed; None where the error tells it all."""
    if isinstance(refusal_of(error), OtherContentError | SupersededError):
        return None
    if not is_published(plan.run):
        return None
    _, manifest = read_manifest(plan.run.output, plan.run.run_id)
    return manifest


def _find_publisher(
    plan: Plan,
    planned_at: str,
    error: Exception,
) -> Literal["this", "another"] | None:
    """Return which launch published the run; None where the error must be told, whoever did.

    Args:
        plan: what the run does.
        planned_at: of this launch, as its manifest says it.
        error: what this launch failed with.
    """
    standing = _find_manifest(plan, error)
    if standing is None:
        return None
    if standing.get("planned_at") == planned_at:
        return "this"
    # Another launcher of the same work was faster, and cleaned up under this one.
    if _misses_files(plan, error):
        return "another"
    return None


def _misses_files(plan: Plan, error: Exception) -> bool:
    """Tell whether an error is that of a launch whose temporary files somebody removed.

    Any other has a cause of its own, and is told as it is, though the same work stands.
    """
    refusal = refusal_of(error)
    if isinstance(refusal, InputError):
        message = str(refusal)
        return message.startswith(plan.run.plan)
    if refusal is not None and type(refusal) is not PublishError:
        return False
    # With its causes; those of a worker elsewhere are in the text of the error.
    text = "".join(traceback.format_exception(error))
    return FileNotFoundError.__name__ in text or NOT_WHOLE in text


def _describe_mended(error: Exception) -> str:
    why = refusal_of(error) or type(error).__name__
    return f"is published; what failed after that was done again: {why}"


def _count_resumed(rows_done: RowsDone, log: RunLog) -> int:
    """Return how many rows an earlier run has done: only to tell, so no error here ends the run."""
    try:
        return rows_done.count_finished()
    except Exception as error:  # noqa: BLE001 - whatever cannot be counted is not shown
        reason = shown_with_class(error)
        message = f"how many rows an earlier run has done cannot be told: {reason}"
        log.tell_trouble("resumed_not_counted", message)
        return 0


def _prepare(
    plan: Plan,
    head: Mapping[str, Any],
    reuse_from: str | None,
    log: RunLog,
) -> Plan:
    """Leave the plan where workers read it, and the units of another run that need no scoring.

    Returns:
        The plan as it stands there, which an earlier launch may have left.
    """
    try:
        plan = store_plan(plan)
        _forget_torn_records(plan, log)
        if reuse_from is not None:
            run, manifest = find_run_to_reuse(plan.run, head, reuse_from)
            reused = reuse_units(plan.run, plan.units, run, manifest)
            unit_count = len(plan.units)
            message = (
                f"reused from run {reuse_from}: {reused:,} of {unit_count:,} units, "
                "in which no row was rejected"
            )
            log.tell("reused", message)
        return plan
    except OSError as error:
        raise make_unwritable(plan.run.output, error) from error


def _forget_torn_records(plan: Plan, log: RunLog) -> None:
    torn = remove_torn_records(plan.run)
    if torn:
        message = (
            f"done-records that are not whole, as a machine that crashed leaves them: {torn:,}; "
            "their units are scored again"
        )
        log.tell("torn_records", message)


def _has_requirements(options: PipelineOptions) -> bool:
    return options.view_as(SetupOptions).requirements_file is not None


def _goes_on_alone(options: PipelineOptions) -> bool:
    """Tell whether the job goes on without this process."""
    no_wait: bool = options.view_as(StandardOptions).no_wait_until_finish
    return no_wait or starts_elsewhere(options)


def _say_submitted(plan: Plan, result: Any, log: RunLog) -> None:
    job = "the job's description, for the template's launcher"
    # A template's launcher starts the job from the description that was just written: it has no id
    # yet.
    if getattr(result, "has_job", True):
        job = f"job {result.job_id()}"
    run = plan.run
    message = f"submitted: {job}; workers publish run {run.run_id} to {run.output}"
    log.tell("submitted", message)


def _say_published(
    plan: Plan,
    resumed_rows: int,
    seconds: float,
    log: RunLog,
) -> int:
    run = plan.run
    # Some runners' jobs end well when they were cancelled elsewhere.
    if not is_published(run):
        raise PublishError(
            f"{run.output}: the runner says that the job is done, but it did not publish run "
            f"{run.run_id} there; look at the job's log, then run the same command again"
        )
    # From here on nothing changes how the run ends.
    log.facts.published = True
    with telling(log):
        run, manifest = read_manifest(run.output, run.run_id)
        log.tell_published(run, manifest, seconds, resumed_rows)
        if log.is_for_people:
            _show(plan, run, manifest, seconds, resumed_rows, log)
    with telling(log):
        # Once the run stands: until then an older one may be all that there is.
        remove_superseded(run, plan.job.name)
    return 0


def _show(
    plan: Plan,
    run: RunFolder,
    manifest: summary.Manifest,
    seconds: float,
    resumed_rows: int,
    log: RunLog,
) -> None:
    table = summary.final_table(run, manifest, seconds, resumed_rows)
    log.say(table)
    log.say(summary.where_time_went(manifest))
    with telling(log):
        log.say(summary.first_rows(run, manifest))
    show_reading_line(plan, run, manifest, log)
