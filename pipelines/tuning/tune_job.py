"""Tune a job: measure engines and settings on a sample of its rows, and keep the fastest in a report.

What is measured and how stands in `search.py`, `bench.py` and `turns.py`; here they are put together, and
what they find is told.
"""

import argparse
from collections.abc import Callable, Sequence

from configs.errors import JobError
from model_zoo.engines.machine import cores
from model_zoo.engines.tuning_report import TuningReport
from model_zoo.package.card import ModelCard
from model_zoo.scoring.devices import resolve_devices, threads_for
from model_zoo.scoring.freed_memory import keep_freed_memory
from pipelines.cli.command_line import say as say_on_stdout
from pipelines.cli.job_flags import OLD_CERTIFICATE
from pipelines.planning.batch_rows import default_batch_rows
from pipelines.planning.jobs import ScoringJob, choose_activation, choose_threshold
from pipelines.planning.make_plan import make_plan
from pipelines.planning.plan import Plan
from pipelines.planning.plan_inference import describe_reference
from pipelines.scoring.summary import shown_path
from pipelines.tuning.bench import SAMPLE_SECONDS, Bench
from pipelines.tuning.budget import Budget
from pipelines.tuning.engines import (
    FoundEngines,
    describe_missing,
    find_engines,
    find_reference,
)
from pipelines.tuning.loading import make_loader
from pipelines.tuning.measured import Measured
from pipelines.tuning.night import LoadTimes, Night
from pipelines.tuning.report import count_workers, make_report, refuse_unwritable, store_report
from pipelines.tuning.sample import Sample
from pipelines.tuning.sampling import take_sample
from pipelines.tuning.search import Search
from pipelines.tuning.table import COLUMNS, make_cells, make_line, shown_settings
from pipelines.tuning.trials import Trials

# One label of fewer is more than one percent, so that no agreement can be told from them.
_LEAST_ROWS = 100
Say = Callable[[str], None]


def tune_job(job: ScoringJob, arguments: argparse.Namespace) -> None:
    """Find the fastest settings of a job, and leave them in its tuning report.

    Args:
        job: the job, which names a report.
        arguments: how long to look, how many rows to look at, and what to leave out.
    """
    say: Say = _say_nothing if arguments.quiet else say_on_stdout
    if job.model.certificate is not None:
        say(OLD_CERTIFICATE)
    budget = Budget(arguments.minutes * 60)
    # As in a process that scores, where preprocessing finds its memory faster.
    keep_freed_memory()
    plan = make_plan(_without_report(job))
    card = plan.package.card
    # All devices of a job are of one kind.
    device_type = resolve_devices(job.model.device)[0].type
    engines = find_engines(card, job.model.engine, arguments.without, device_type)
    sample = take_sample(plan, arguments.rows)
    _refuse_handful(sample)
    url = str(job.model.tuning_report)
    refuse_unwritable(url)
    rows_per_night = arguments.rows_per_night or plan.rows
    trials = _make_trials(job, plan, sample, rows_per_night, budget, say)
    search = Search(trials, engines.usable, budget)
    _say_head(plan, sample, engines, rows_per_night, arguments.minutes, say)

    fixed_rows = job.model.batch_rows
    batch_rows = fixed_rows or default_batch_rows(card)
    found = search.find_best(batch_rows, fixed_rows is not None, arguments.without)
    report = make_report(job, plan, found, trials.measured, rows_per_night)
    _say_turns(found.turns, say)

    store_report(url, report)
    _say_result(report, card, shown_path(url), say)


def _without_report(job: ScoringJob) -> ScoringJob:
    """Return the job as it is without tuning, with the engine of its package."""
    # What an older report says shall not decide what this one is compared with.
    untuned = job.model.model_copy(update={"dtype": "float32"})
    return job.model_copy(update={"model": untuned})


def _refuse_handful(sample: Sample) -> None:
    """Refuse a sample from which nothing can be concluded.

    Raises:
        JobError: it has too few rows.
    """
    if sample.rows >= _LEAST_ROWS:
        return
    raise JobError(
        f"the sample has {sample.rows:,} rows, and from fewer than {_LEAST_ROWS} neither speed nor "
        "agreement can be told: a mini-batch takes milliseconds, and one label is more than the "
        "tolerance allows; name more --input, or raise --rows"
    )


def _make_trials(
    job: ScoringJob,
    plan: Plan,
    sample: Sample,
    rows_per_night: int | None,
    budget: Budget,
    say: Say,
) -> Trials:
    def say_measured(measured: Measured) -> None:
        cells = make_cells(measured, trials.reference, budget.spent)
        say(make_line(cells))

    model = job.model
    package = plan.package
    # Between the bench and what it loads with: each load is timed.
    loads = LoadTimes(make_loader(package, model.device, model.timeout_seconds))
    sample_seconds = min(SAMPLE_SECONDS, budget.sample_seconds)
    trials = Trials(
        bench=Bench(package, model.device, sample, loads, sample_seconds),
        tolerance=model.tolerance,
        activation=choose_activation(job, package.card),
        threshold=choose_threshold(job, package.card),
        night=Night(rows_per_night, loads),
        tell=say_measured,
        may_keep_reference=model.engine in ("auto", find_reference(package.card)),
    )
    return trials


def _say_head(
    plan: Plan,
    sample: Sample,
    engines: FoundEngines,
    rows_per_night: int | None,
    minutes: float,
    say: Say,
) -> None:
    name = plan.package.card.name
    device = plan.job.model.device
    say(
        f"tuning {name} on at most {sample.rows:,} rows, {cores()} cores, {device}, "
        f"for about {minutes:g} minutes"
    )
    # They might be the fastest: nobody shall have to guess that they are missing.
    for engine in engines.missing:
        say(describe_missing(engine))
    if rows_per_night is None:
        say(
            "what a model takes to load is not weighed, since only reading tells how many rows the "
            "input has: say it with --rows_per_night"
        )
    else:
        say(f"loading is weighed against the {rows_per_night:,} rows of a run (--rows_per_night)")
    say(make_line(COLUMNS))


def _say_turns(turns: Sequence[Measured], say: Say) -> None:
    for measured in turns:
        workers = count_workers(measured)
        threads = threads_for(workers)
        say(
            f"with preprocessing, {workers} workers x {threads} threads, "
            f"{shown_settings(measured.settings)}, mini-batches of "
            f"{measured.settings.batch_rows:,}: {measured.rate:,.0f} rows/s, "
            f"{measured.speed_up or 1.0:.2f} times as fast, in {measured.rounds} turns"
        )


def _say_result(
    report: TuningReport,
    card: ModelCard,
    path: str,
    say: Say,
) -> None:
    settings = report.settings
    workers = report.workers
    reference = describe_reference(find_reference(card))
    say(
        f"fastest: {shown_settings(settings)}, mini-batches of {settings.batch_rows:,}, "
        f"{workers} workers x {threads_for(workers)} threads: "
        f"{report.speed_up:.2f} times as fast as {reference}, preprocessing included"
    )
    for choice in report.next_best:
        say(
            f"next best: {shown_settings(choice.settings)}, {choice.workers} workers, "
            f"{choice.speed_up:.2f} times as fast"
        )
    say(f"tuning report: {path}; jobs with model.dtype=auto use it")


def _say_nothing(_: str) -> None: ...
