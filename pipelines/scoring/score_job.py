"""Score as a job says: plan, check, launch."""

import argparse
from collections.abc import Sequence
from functools import partial

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from model_zoo.engines.engine import find_engine
from model_zoo.engines.tuning_report import refuse_elsewhere
from model_zoo.scoring.devices import resolve_devices
from model_zoo.scoring.loading import load_model
from pipelines.cli.job_flags import OLD_CERTIFICATE
from pipelines.cli.run_log import RunLog
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.loads import list_loads
from pipelines.planning.make_plan import find_output, make_plan
from pipelines.planning.manifest_head import manifest_head
from pipelines.planning.plan import Plan
from pipelines.planning.scoring import scoring_of
from pipelines.runners.checks import refuse_flags, refuse_unreachable, refuse_wrong_options
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
from pipelines.scoring.graph import build
from pipelines.scoring.launch import launch, say_already_published
from pipelines.scoring.reuse import find_run_to_reuse
from pipelines.scoring.stale_runs import launcher_lock_held
from pipelines.scoring.status import is_left_to_clean_up, is_published, take_plan_time
from pipelines.scoring.table_resume import plan_or_resume


def score_job(
    job: ScoringJob,
    arguments: argparse.Namespace,
    flags: Sequence[str],
    log: RunLog,
) -> int:
    """Score, and return the exit status.

    Args:
        job: what is scored.
        arguments: our own flags.
        flags: the runner's.
        log: what is told of the run.

    Raises:
        Refusal: the run cannot be, or failed.
    """
    options = _make_options(arguments, flags, log)
    prepare_process()
    _log_old_names(arguments, job, log)
    output = find_output(job)
    # Before any store is asked for anything.
    roots = [load.root for load in list_loads(job)]
    # A catalog knows where its table is.
    paths = () if job.source.catalog else job.source.paths
    urls = [output, *paths, *roots, job.model.package]
    refuse_unreachable(options, urls, arguments.shared_filesystem)
    # A dry run publishes nothing, and need not reach the output.
    planned_at = None
    if not arguments.dry_run:
        planned_at = take_plan_time(output)
    plan = plan_or_resume(job, partial(make_plan, job, planned_at), log)
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
        return dry_run(plan, partial(load_model, scoring))
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
    first_device, *_ = resolve_devices(plan.job.model.device)
    inference = plan.inference
    if inference.machine is None:
        return
    engine = find_engine(inference.settings.engine)
    refuse_elsewhere(inference.machine, first_device, engine.describe_version())


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
