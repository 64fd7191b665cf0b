"""Score shards with a model: `python -m pipelines.score --config configs/breast_cancer.yaml`.

root | ReadShards | Preprocess | Predict | Postprocess | WriteShards | PublishRun
"""

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from model_zoo.scoring.devices import resolve_devices
from pipelines.cli.command_line import (
    EXIT_STATUSES,
    Parser,
    add_log_flags,
    open_log,
    run_program,
    stop_on_terminate,
)
from pipelines.cli.job_flags import OLD_CERTIFICATE, add_job_flags, load_job
from pipelines.cli.run_log import RunLog
from pipelines.cli.shutdown import end_process
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.loading import list_loads, with_stored_list
from pipelines.planning.make_plan import find_output, make_plan
from pipelines.planning.manifest_head import manifest_head
from pipelines.planning.plan import Plan
from pipelines.planning.scoring import scoring_of
from pipelines.runners.checks import refuse_flags, refuse_unreachable, refuse_wrong_options
from pipelines.runners.flags import join_values, known_flags, unknown_flags
from pipelines.runners.profiles import (
    is_cluster,
    prepare_process,
    profile_of,
    runner_named,
    runner_options,
    starts_elsewhere,
    use_tuned_workers,
    users_own,
)
from pipelines.scoring.dry_run import dry_run
from pipelines.scoring.launch import launch, say_already_published
from pipelines.scoring.reuse import find_run_to_reuse
from pipelines.scoring.stale_runs import launcher_lock_held
from pipelines.scoring.status import is_left_to_clean_up, is_published, take_plan_time
from transforms.batches import RowRecord
from transforms.postprocess import Postprocess
from transforms.predict import Predict
from transforms.preprocess import Preprocess
from transforms.publish import Published, PublishRun
from transforms.read import ReadShards
from transforms.write import WriteShards


def build(
    root: beam.Pipeline,
    plan: Plan,
    workers: int,
) -> beam.PCollection[Published]:
    """Build the whole graph.

    Args:
        root: the pipeline.
        plan: what the run does.
        workers: how many workers share one machine.
    """
    job = plan.job
    card = plan.package.card
    output_plan = plan.output_plan
    errors = job.errors
    record = RowRecord(job.source.key, errors.store_values)
    where = job.postprocess.where
    head = manifest_head(plan)

    read = ReadShards(
        run=plan.run,
        schema=plan.schema,
        format=with_stored_list(plan.format, plan.run.listed_files),
        rows_per_batch=plan.rows_per_batch,
        record=record,
    )
    preprocess = Preprocess(
        contract=plan.contract,
        steps=plan.steps,
        inputs=card.inputs,
        timeout_seconds=job.model.timeout_seconds,
    )
    scoring = scoring_of(plan, workers)
    predict = Predict(scoring.load, job.model.not_finite, card.mask, plan.run)
    postprocess = Postprocess(
        carried=job.source.carried,
        scores=output_plan.scores,
        keep=output_plan.keep,
        where=where,
        format=job.sink.format,
        text=output_plan.text,
    )
    write = WriteShards(plan.run, output_plan.file_format)
    publish = PublishRun(
        run=plan.run,
        manifest=head,
        max_rejected_rows=errors.max_rejected_rows,
        max_rejected_percent=errors.max_rejected_percent,
    )
    return root | read | preprocess | predict | postprocess | write | publish


def main(argv: Sequence[str]) -> int:
    """Score as the command line says, and return the exit status."""
    # Before all else: a bad flag must be in the log that the flags ask for.
    log = open_log(argv)
    arguments, flags = _parse(argv)
    options = _make_options(arguments, flags, log)
    prepare_process()
    job = load_job(arguments)
    log.facts.job = job.name
    _log_old_names(arguments, job, log)
    output = find_output(job)
    # Before any store is asked for anything.
    roots = [load.root for load in list_loads(job)]
    urls = [output, *job.source.paths, *roots, job.model.package]
    refuse_unreachable(options, urls, arguments.shared_filesystem)
    # A dry run publishes nothing, and need not reach the output.
    planned_at = None
    if not arguments.dry_run:
        planned_at = take_plan_time(output)
    plan = make_plan(job, planned_at)
    # The machines of a cluster are others than this one.
    if not is_cluster(options):
        _refuse_elsewhere(plan)
        use_tuned_workers(options, flags, plan.inference.workers)
    if plan.inference.why:
        log.tell("speed", plan.inference.why)
    _log_plan(plan, options, log)
    reuse_from: str | None = arguments.reuse_from or arguments.only_rejected
    # Looked for here only to refuse it before anything is written. The launch looks again, once it
    # has the lock: until then another launcher may publish, and `current` be another run.
    if reuse_from is not None and not is_left_to_clean_up(plan.run):
        head = manifest_head(plan)
        find_run_to_reuse(plan.run, head, reuse_from)
    if arguments.dry_run:
        scoring = scoring_of(plan, workers=1)
        return dry_run(plan, scoring.load)
    # A template's launcher needs a job to start even then.
    if is_published(plan.run) and not starts_elsewhere(options):
        return say_already_published(plan, log)
    with launcher_lock_held(plan.run, job.name, is_cluster(options)):
        head = manifest_head(plan)
        return launch(plan, head, options, build, reuse_from, log)


def _make_options(
    arguments: argparse.Namespace,
    flags: Sequence[str],
    log: RunLog,
) -> PipelineOptions:
    """Return the runner's profile and the user's flags; refuse what cannot work."""
    # Flags first: some of them Beam would take, and do harm with.
    refuse_flags(flags)
    runner = runner_named(arguments.runner)
    options = runner_options(runner, flags)
    refuse_wrong_options(options)
    profile = profile_of(runner, flags)
    flags_shown = profile.flags if arguments.debug else users_own(profile.flags)
    words = [f"runner: {runner}, profile {profile.name}", *flags_shown]
    log.tell("runner", " ".join(words))
    return options


def _refuse_elsewhere(plan: Plan) -> None:
    """Refuse a device that is not on this machine, or a tuning report of another kind of machine.

    Workers refuse it too; here it is told before the run begins.
    """
    resolve_devices(plan.job.model.device)
    plan.inference.refuse_elsewhere(plan.job.model.device)


def _log_old_names(
    arguments: argparse.Namespace,
    job: ScoringJob,
    log: RunLog,
) -> None:
    """Say what is called otherwise now."""
    if arguments.only_rejected is not None:
        log.tell("renamed", "--only_rejected is called --reuse_from now; the old name still works")
    if job.model.certificate is not None:
        log.tell("renamed", OLD_CERTIFICATE)


def _log_plan(plan: Plan, options: PipelineOptions, log: RunLog) -> None:
    card = plan.package.card
    runner = options.view_as(StandardOptions).runner
    info = {"model": card.name, "version": card.version, "runner": runner}
    units = len(plan.units)
    log.tell_plan(plan.run, info, plan.rows, units, plan.ignored)


class _Parsed(NamedTuple):
    """Our own flags, and those for the runner."""

    arguments: argparse.Namespace
    flags: list[str]


def _parse(argv: Sequence[str]) -> _Parsed:
    parser = Parser(
        "pipelines.score",
        "Score Parquet or CSV shards with a model package and publish the scores.",
        _EPILOG,
    )
    what = parser.add_argument_group("what to score")
    add_job_flags(what)
    reuse = (
        "score only shards that changed since run RUN (an id, or current) "
        "and units in which rows were rejected; take the rest from that run"
    )
    what.add_argument("--reuse_from", metavar="RUN", help=reuse)
    what.add_argument("--only_rejected", metavar="RUN", help=argparse.SUPPRESS)
    how = parser.add_argument_group("how to run")
    runner = "Beam runner (default: DirectRunner)"
    how.add_argument("--runner", default="DirectRunner", metavar="NAME", help=runner)
    shared = "local paths are mounted on every machine of the cluster"
    how.add_argument("--shared_filesystem", action="store_true", help=shared)
    dry = "plan and check everything, score a few rows in memory, write nothing"
    how.add_argument("--dry_run", action="store_true", help=dry)
    how.add_argument("--quiet", action="store_true", help="print nothing but errors")
    add_log_flags(how)
    how.add_argument("--debug", action="store_true", help="show tracebacks and the runner's log")
    arguments, words = parser.parse_known_args(list(argv))
    # The rest is Beam's, who would drop what it does not know with a warning.
    flags = join_values(words)
    parser.refuse_unknown(unknown_flags(flags), known_flags())
    return _Parsed(arguments, flags)


_EPILOG = f"""runner options:
  Runners: DirectRunner, PrismRunner, PortableRunner, FlinkRunner, DataflowRunner.
  Every other flag goes to the runner; one that it does not know is an error. What a runner needs
  is set for it, and yields to a flag of yours; --debug shows all of it. For the DirectRunner:
    --direct_running_mode   multi_threading (default here), in_memory (one worker),
                            or multi_processing
    --direct_num_workers    number of workers; 0, the default here, is one per core

{EXIT_STATUSES}"""


if __name__ == "__main__":
    stop_on_terminate()
    end_process(run_program(main))
