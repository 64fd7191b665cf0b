"""From a job to a plan that is checked, or to the run that is published already, of which nothing is left to do.

Beam and torch take seconds to import, and nothing here needs them.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from model_zoo.engines.engine import find_engine
from model_zoo.engines.tuning_report import refuse_elsewhere
from model_zoo.scoring.devices import refuse_missing_device, resolve_devices
from pipelines.cli.job_flags import OLD_CERTIFICATE
from pipelines.cli.run_log import RunLog
from pipelines.planning.find_reference import find_reference
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.loads import list_loads
from pipelines.planning.make_plan import make_plan
from pipelines.planning.manifest_head import manifest_head
from pipelines.planning.output_folder import find_output
from pipelines.planning.plan import Plan
from pipelines.planning.plan_monitor import make_rules
from pipelines.runners.profiles import prepare_process, profile_of, runner_named, users_own
from pipelines.runners.runner import Runner
from pipelines.scoring.already_published import refuse_held_again, say_already_published
from pipelines.scoring.planned_job import PlannedJob
from pipelines.scoring.reuse import find_run_to_reuse
from pipelines.scoring.status import is_left_to_clean_up, is_published, take_plan_time
from pipelines.scoring.table_resume import plan_or_resume


def plan_job(
    job: ScoringJob,
    arguments: argparse.Namespace,
    flags: Sequence[str],
    log: RunLog,
) -> PlannedJob | None:
    """Return what is to be done; None where it was done before, and readers were led to it.

    Args:
        job: what is scored.
        arguments: our own flags.
        flags: the runner's.
        log: what is told of the run.

    Raises:
        Refusal: the run cannot be.
    """
    runner = _choose_runner(arguments, flags, log)
    prepare_process()
    _log_old_names(arguments, job, log)
    _refuse_unreachable(job, runner, arguments.shared_filesystem)
    plan = _make_plan(job, arguments.dry_run, log)
    # The machines of a cluster are others than this one.
    if not runner.is_cluster:
        _refuse_elsewhere(plan)
    if plan.inference.why:
        log.tell("speed", plan.inference.why)
    _log_plan(plan, runner, log)
    reuse_from: str | None = arguments.reuse_from or arguments.only_rejected
    # Looked for here only to refuse it before anything is written. The launch looks again, once it
    # has the lock: until then another launcher may publish, and `current` be another run.
    if reuse_from is not None and not is_left_to_clean_up(plan.run):
        head = manifest_head(plan)
        find_run_to_reuse(plan.run, head, reuse_from)
    # A dry run looks at rows whatever is published, and a template's launcher needs a job to start.
    if not arguments.dry_run and is_published(plan.run) and not runner.starts_elsewhere:
        say_already_published(plan, log)
        return None
    # Of a run that would be held again nothing is scored.
    if not arguments.dry_run and not runner.starts_elsewhere:
        refuse_held_again(plan, log)
    return PlannedJob(_plan_monitor(plan, log), runner, reuse_from)


def _plan_monitor(plan: Plan, log: RunLog) -> Plan:
    """Return the plan with what its run is compared with; as it is where that is nothing."""
    asked = plan.job.monitor.reference
    if asked is None:
        return plan
    reference = find_reference(asked, plan.run, plan.package, plan.job.postprocess.rename)
    log.tell("reference", f"monitor: compared with {reference.head.says}")
    columns = [column.name for column in plan.package.card.columns]
    return replace(plan, rules=make_rules(plan.job, columns), reference=reference)


def _choose_runner(
    arguments: argparse.Namespace,
    flags: Sequence[str],
    log: RunLog,
) -> Runner:
    """Return the runner with the user's flags; refuse what cannot work."""
    # Flags first: some of them Beam would take, and do harm with.
    if flags:
        from pipelines.runners.checks import refuse_flags

        refuse_flags(flags)
    name = runner_named(arguments.runner)
    runner = Runner(name, tuple(flags))
    runner.refuse_wrong_options()
    profile = profile_of(name, flags)
    flags_shown = profile.flags if arguments.debug else users_own(profile.flags)
    words = [f"runner: {name}, profile {profile.name}", *flags_shown]
    log.tell("runner", " ".join(words))
    return runner


def _refuse_unreachable(job: ScoringJob, runner: Runner, shared_filesystem: bool) -> None:
    """Refuse what workers cannot see, before any store is asked for anything."""
    output = find_output(job)
    roots = [load.root for load in list_loads(job)]
    # A catalog knows where its table is.
    paths = () if job.source.catalog else job.source.paths
    # A server's model may have none.
    packages = [] if job.model.package is None else [job.model.package]
    urls = [output, *paths, *roots, *packages]
    runner.refuse_unreachable(urls, shared_filesystem)


def _make_plan(job: ScoringJob, is_dry: bool, log: RunLog) -> Plan:
    # A dry run publishes nothing, and need not reach the output.
    planned_at = None
    if not is_dry:
        output = find_output(job)
        planned_at = take_plan_time(output)
    return plan_or_resume(job, partial(make_plan, job, planned_at), log)


def _refuse_elsewhere(plan: Plan) -> None:
    """Refuse a device that is not on this machine, or a tuning report of another kind of machine.

    Workers refuse it too; here it is told before the run begins.
    """
    device = plan.job.model.device
    refuse_missing_device(device)
    inference = plan.inference
    if inference.machine is None:
        return
    first_device, *_ = resolve_devices(device)
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


def _log_plan(plan: Plan, runner: Runner, log: RunLog) -> None:
    card = plan.package.card
    info = {"model": card.name, "version": card.version, "runner": runner.name}
    units = len(plan.units)
    if plan.broken:
        log.tell_broken([shard.describe() for shard in plan.broken])
    log.tell_plan(plan.run, info, plan.rows, units, plan.ignored)
