"""Score shards with a model: `python -m pipelines.score --config configs/breast_cancer.yaml`.

root | ReadShards | Preprocess | Predict | Postprocess | WriteShards | PublishRun
"""

import argparse
from collections.abc import Sequence
import time
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
import pyarrow as pa

from configs.errors import OtherContentError, PublishError, refusal_of
from model_zoo.scorer import resolve_devices
from pipelines import report
from pipelines.command_line import (
    EXIT_STATUSES,
    Parser,
    add_log_flags,
    open_log,
    run_program,
    stop_on_terminate,
    workers_kept_quiet,
)
from pipelines.flink_jobs import cancellation
from pipelines.job_flags import add_job_flags, load_job
from pipelines.leaving import cancelled_when_stopped, leave
from pipelines.leftovers import marked_as_live, remove_superseded
from pipelines.plan import Plan, make_plan, manifest_head, scoring_of, store_plan
from pipelines.progress import RowsDone, shown_progress
from pipelines.run_log import RunLog
from pipelines.runner_checks import refuse_flags, refuse_unreachable, refuse_wrong_options
from pipelines.runner_flags import joined, known_flags, unknown_flags
from pipelines.runners import (
    is_cluster,
    profile_of,
    runner_named,
    runner_options,
    settle_process,
    starts_elsewhere,
    use_tuned_workers,
    workers_per_machine,
)
from pipelines.take_over import run_to_correct, take_over
from storage import files
from storage.layout import read_manifest
from transforms.batches import PredictionBatch
from transforms.postprocess import Postprocess, postprocess_batch
from transforms.predict import Predict, predict_batch
from transforms.preprocess import Preprocess, preprocess_batch
from transforms.publish import Published, PublishRun, announce
from transforms.read import ReadShards, read_unit
from transforms.rejected import RowRecord
from transforms.write import WriteShards

_DRY_RUN_ROWS = 1_000


def build(root: beam.Pipeline, plan: Plan, workers: int) -> beam.PCollection[Published]:
    """The whole graph; `workers` of its workers share one machine."""
    job = plan.job
    record = RowRecord(job.source.key, job.errors.store_values)
    read = ReadShards(plan.run, plan.schema, job.source.format, plan.rows_per_batch, record, plan.csv)
    preprocess = Preprocess(plan.missing, plan.steps, plan.inputs)
    predict = Predict(scoring_of(plan, workers))
    postprocess = Postprocess(job.source.carried, plan.scores, plan.keep, job.postprocess.where)
    write = WriteShards(plan.run, plan.file_format)
    publish = PublishRun(plan.run, manifest_head(plan), job.errors.max_rejected_rows, job.errors.max_rejected_percent)
    return root | read | preprocess | predict | postprocess | write | publish


def main(argv: Sequence[str]) -> int:
    """Score as the command line says, and return the exit status."""
    log = open_log(argv)
    arguments, flags = _parse(argv)
    options = _options(arguments, flags, log)
    job = load_job(arguments)
    log.facts.job = job.name
    plan = make_plan(job)
    if not is_cluster(options):  # else the machines that matter are others than this one
        resolve_devices(job.model.device)
        plan.speed.refuse_elsewhere(job)
        use_tuned_workers(options, plan.speed.workers)
    if plan.speed.why:
        log.tell("speed", plan.speed.why)
    urls = [plan.run.output, *job.source.paths, plan.package.url]
    refuse_unreachable(options, urls, arguments.shared_filesystem)
    card, runner = plan.package.card, options.view_as(StandardOptions).runner
    log.planned(plan.run, {"model": card.name, "version": card.version, "runner": runner}, plan.rows, len(plan.units))
    if arguments.only_rejected is not None and not _was_killed_once_published(plan):
        run_to_correct(plan, arguments.only_rejected)
    if arguments.dry_run:
        return _dry_run(plan)
    if _is_published(plan) and not starts_elsewhere(options):
        return _published_before(plan, log)
    with marked_as_live(plan.run, job.name, is_cluster(options)):
        return _run(plan, options, arguments.only_rejected, log)


def _is_published(plan: Plan) -> bool:
    try:
        return files.exists(plan.run.manifest)
    except OSError as error:
        raise PublishError(
            f"{plan.run.output}: cannot be read: {error.strerror}; check the address and credentials, or choose another --output"
        ) from error


def _was_killed_once_published(plan: Plan) -> bool:
    """Whether only its temporary files are left to remove; `current` may stand for this very run by now."""
    return _is_published(plan) and files.exists(plan.run.temporary)


def _options(arguments: argparse.Namespace, flags: Sequence[str], log: RunLog) -> PipelineOptions:
    """The runner's profile and the user's flags, shown, and refused where they cannot work."""
    refuse_flags(flags)
    runner = runner_named(arguments.runner)
    options = runner_options(runner, flags)
    refuse_wrong_options(options)
    settle_process()
    profile = profile_of(runner, flags)
    log.tell("runner", f"runner: {runner}, profile {profile.name}: {' '.join(profile.flags)}")
    return options


def _prepare(plan: Plan, only_rejected: str | None, log: RunLog) -> None:
    """Leave the plan where workers read it, and the units of another run that need no scoring."""
    try:
        store_plan(plan)
        if only_rejected is not None:
            taken = take_over(plan, *run_to_correct(plan, only_rejected))
            log.tell(
                "taken_over",
                f"taken over from run {only_rejected}: {taken:,} of {len(plan.units):,} units, in which no row was rejected",
            )
    except OSError as error:
        raise PublishError(
            f"{plan.run.output}: cannot be written: {error.strerror}; mend the folder, or choose another --output"
        ) from error


def _run(plan: Plan, options: PipelineOptions, only_rejected: str | None, log: RunLog) -> int:
    began = time.perf_counter()
    try:
        _prepare(plan, only_rejected, log)
        rows_done = RowsDone(plan.run, plan.units)
        resumed_rows = rows_done.count()
        log.resumed(resumed_rows)
        pipeline = beam.Pipeline(options=options)
        build(pipeline, plan, workers_per_machine(options))
        with workers_kept_quiet(), shown_progress(rows_done, plan.rows, log):
            result = pipeline.run()
            if starts_elsewhere(options) or options.view_as(StandardOptions).no_wait_until_finish:
                return _submitted(plan, result, log)
            with cancelled_when_stopped(cancellation(options, result)):
                result.wait_until_finish()
    except Exception as error:
        published = files.exists(plan.run.manifest)
        if not published or isinstance(refusal_of(error), OtherContentError):
            raise
        return _published_before(
            plan, log, late=True
        )  # another launcher of the same work was faster, and cleaned up under this one
    return _published(plan, resumed_rows, time.perf_counter() - began, log)


def _published(plan: Plan, resumed_rows: int, seconds: float, log: RunLog) -> int:
    if not files.exists(plan.run.manifest):
        raise PublishError(
            f"{plan.run.output}: the runner says that the job is done, but it did not publish run {plan.run.run_id} there; look at the "
            "job's log, then run the same command again"
        )
    run, manifest = read_manifest(plan.run.output, plan.run.run_id)
    log.published(run, manifest, seconds, resumed_rows)
    remove_superseded(run, plan.job.name)
    if log.is_for_people:
        print(report.final_table(run, manifest, seconds, resumed_rows))
        print(report.where_time_went(manifest))
        print(report.first_rows(run, manifest))
        print(report.reading_line(plan.run.output, plan.job.sink.format))
    return 0


def _submitted(plan: Plan, result: Any, log: RunLog) -> int:
    """Say who has the job now; a template's launcher starts it from the description that was just written, so it has no id yet."""
    job = f"job {result.job_id()}" if getattr(result, "has_job", True) else "the job's description, for the template's launcher"
    log.tell("submitted", f"submitted: {job}; workers publish run {plan.run.run_id} to {plan.run.output}")
    return 0


def _published_before(plan: Plan, log: RunLog, late: bool = False) -> int:
    announce(plan.run, late)
    log.already_published(*read_manifest(plan.run.output, plan.run.run_id))
    if log.is_for_people:
        print(f"already published: run {plan.run.run_id}, the same inputs, model and settings; nothing to do")
        print(report.reading_line(plan.run.output, plan.job.sink.format))
    return 0


def _dry_run(plan: Plan) -> int:
    """Score a few rows in memory, through the same functions as the graph, and write nothing."""
    job = plan.job
    scoring = scoring_of(plan, workers=1)
    scorer = scoring.load()
    batch = next(read_unit(plan.units[0], plan.schema, job.source.format, _DRY_RUN_ROWS, RowRecord(), plan.csv))
    began = time.perf_counter()
    features = preprocess_batch(batch, plan.missing, plan.steps, plan.inputs)
    raw, outputs = predict_batch(scorer, features, scoring.not_finite)
    prediction = PredictionBatch(raw, outputs, scorer.placement)
    scored = postprocess_batch(prediction, job.source.carried, plan.scores, plan.keep, job.postprocess.where)
    seconds = time.perf_counter() - began
    print(report.plan_table(plan))
    if plan.rows is not None and batch.rows_in:
        print(
            f"  estimate: {plan.rows * seconds / batch.rows_in:,.1f} s with one worker, from {batch.rows_in:,} rows in {seconds:.3f} s"
        )
    if scored.failed:
        print(report.rejected_rows(scored.failed))
    print(report.shown_rows(pa.Table.from_batches([scored.rows])))
    print("dry run: everything fits together; nothing was written")
    return 0


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = Parser("pipelines.score", "Score Parquet or CSV shards with a model package and publish the scores.", _EPILOG)
    what = parser.add_argument_group("what to score")
    add_job_flags(what)
    rejected = "score again only shards that changed since run RUN (an id, or current) and units in which rows were rejected; take over the rest"
    what.add_argument("--only_rejected", metavar="RUN", help=rejected)
    how = parser.add_argument_group("how to run")
    how.add_argument("--runner", default="DirectRunner", metavar="NAME", help="Beam runner (default: DirectRunner)")
    how.add_argument("--shared_filesystem", action="store_true", help="local paths are mounted on every machine of the cluster")
    how.add_argument("--dry_run", action="store_true", help="plan and check everything, score a few rows in memory, write nothing")
    how.add_argument("--quiet", action="store_true", help="print nothing but errors")
    add_log_flags(how)
    how.add_argument("--debug", action="store_true", help="show tracebacks and the runner's log")
    arguments, words = parser.parse_known_args(list(argv))
    flags = joined(words)
    parser.refuse_unknown(unknown_flags(flags), known_flags())
    return arguments, flags


_EPILOG = f"""runner options:
  Runners: DirectRunner, PrismRunner, PortableRunner, FlinkRunner, DataflowRunner. Every other flag goes to the runner; one that it
  does not know is an error. What a runner needs is set for it, shown, and yields to a flag of yours. For the DirectRunner:
    --direct_running_mode   multi_threading (default here), in_memory (one worker), or multi_processing
    --direct_num_workers    number of workers; 0, the default here, is one per core

{EXIT_STATUSES}"""


if __name__ == "__main__":
    stop_on_terminate()
    leave(run_program(main))
