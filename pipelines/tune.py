"""Find the fastest settings whose scores stay close to float32, eager.

For example `python -m pipelines.tune --config configs/digits.yaml`. It scores a sample of the job's
own rows with the job's own model on this machine, setting by setting, and leaves the fastest one
that is within `model.tolerance` in the file `model.tuning_report`, which jobs with `model.dtype:
auto` score with.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from configs.errors import JobError
from model_zoo.engines.machine import cores, machine_kind
from model_zoo.engines.settings import DEFAULT_ENGINE
from model_zoo.engines.tuning_report import TuningReport
from model_zoo.scoring.devices import resolve_devices, threads_for
from pipelines.cli.command_line import EXIT_STATUSES, Parser, run_program, stop_on_terminate
from pipelines.cli.command_line import say as say_on_stdout
from pipelines.cli.job_flags import OLD_CERTIFICATE, add_job_flags, load_job
from pipelines.cli.shutdown import end_process
from pipelines.planning.batch_rows import default_batch_rows
from pipelines.planning.jobs import ScoringJob, choose_activation, choose_threshold
from pipelines.planning.make_plan import make_plan
from pipelines.planning.plan import Plan
from pipelines.planning.plan_inference import list_deciding_values
from pipelines.scoring.summary import shown_path
from pipelines.tuning.bench import Bench
from pipelines.tuning.loading import make_loader
from pipelines.tuning.measured import Measured
from pipelines.tuning.sample import Sample
from pipelines.tuning.sampling import take_sample
from pipelines.tuning.search import WITHOUT, Tuning
from pipelines.tuning.workers import choose_workers
from storage import files

# A few seconds of a small network.
_ROWS = 1 << 17
# One label of fewer is more than one percent, so that no agreement can be told from them.
_LEAST_ROWS = 100
_COLUMNS = (
    "setting",
    "batch rows",
    "rows/s",
    "speed-up",
    "max difference",
    "label agreement",
    "cosine",
    "",
)
_WIDTHS = (32, 10, 10, 8, 14, 15, 9, 0)
_UNKNOWN = "-"
Say = Callable[[str], None]


def main(argv: Sequence[str]) -> int:
    """Tune as the command line says, and return the exit status."""
    arguments = _parse(argv)
    job = load_job(arguments)
    if job.model.tuning_report is None:
        raise JobError(
            "model.tuning_report is not set; name the file that pipelines.tune shall write"
        )
    say: Say = _say_nothing if arguments.quiet else say_on_stdout
    if job.model.certificate is not None:
        say(OLD_CERTIFICATE)
    # What an older report says shall not decide what this one is compared with.
    float32 = job.model.model_copy(update={"dtype": "float32"})
    measured_job = job.model_copy(update={"model": float32})
    plan = make_plan(measured_job)
    sample = take_sample(plan, arguments.rows)
    _refuse_handful(sample)
    tuning = _make_tuning(job, plan, sample, say)
    _say_head(job, plan, sample, say)

    card = plan.package.card
    fixed_rows = job.model.batch_rows
    batch_rows = fixed_rows or default_batch_rows(card)
    best = tuning.search(batch_rows, fixed_rows is not None, arguments.without)
    # Any rate will do where none is known: it only says how long a pass should take.
    rate = best.rows_per_second or 1.0
    workers = choose_workers(tuning.bench, best.settings, rate)
    report = _make_report(job, plan, tuning, best, workers.best)
    _say_rates(workers.rates, say)

    url = str(job.model.tuning_report)
    _store(url, report)
    _say_result(report, shown_path(url), say)
    if best.settings.compiled and plan.rows is None:
        seconds = tuning.compile_seconds[best.settings]
        say(
            f"compiling takes {seconds:,.1f} s; what that saves of the whole input is not known, since only "
            "reading tells its rows: leave it out with --without compile where they are few"
        )
    return 0


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


def _make_tuning(
    job: ScoringJob,
    plan: Plan,
    sample: Sample,
    say: Say,
) -> Tuning:
    def say_measured(measured: Measured) -> None:
        cells = _make_cells(measured, tuning.measured[0])
        say(_make_line(cells))

    model = job.model
    package = plan.package
    load = make_loader(package, model.device, model.timeout_seconds)
    bench = Bench(package, model.device, sample, load, plan.rows)
    tuning = Tuning(
        bench=bench,
        tolerance=model.tolerance,
        activation=choose_activation(job, package.card),
        threshold=choose_threshold(job, package.card),
        tell=say_measured,
    )
    return tuning


def _make_report(
    job: ScoringJob,
    plan: Plan,
    tuning: Tuning,
    best: Measured,
    workers: int,
) -> TuningReport:
    card = plan.package.card
    device = resolve_devices(job.model.device)[0]
    made_at = datetime.now(UTC)
    assert best.agreement is not None  # noqa: S101 - what has none is not kept
    return TuningReport(
        model={"name": card.name, "version": card.version, "digest": plan.package.digest},
        job=list_deciding_values(job, card),
        machine=machine_kind(device),
        settings=best.settings,
        workers=workers,
        agreement=best.agreement,
        tolerance=job.model.tolerance,
        rows_per_second=best.rate,
        speed_up=best.speed_up or 1.0,
        made_at=made_at.isoformat(timespec="seconds"),
        tried=tuple(_describe(measured) for measured in tuning.measured),
    )


def _describe(measured: Measured) -> dict[str, Any]:
    settings = measured.settings
    agreement = None
    if measured.agreement:
        agreement = asdict(measured.agreement)
    return {
        # In words: the scales of thousands of channels would drown the rest.
        "settings": str(settings),
        "batch_rows": settings.batch_rows,
        "rows_per_second": measured.rows_per_second,
        "agreement": agreement,
        "problem": measured.problem,
    }


def _store(url: str, report: TuningReport) -> None:
    try:
        # In one move: what stands there decides every night's scores.
        content = report.to_json()
        files.replace(files.to_absolute(url), content)
    except (OSError, ImportError, ValueError) as error:
        raise JobError(
            f"model.tuning_report {url}: cannot be written: {error}; "
            "mend its place, or name another file"
        ) from error


def _say_head(
    job: ScoringJob,
    plan: Plan,
    sample: Sample,
    say: Say,
) -> None:
    name = plan.package.card.name
    device = job.model.device
    say(f"tuning {name} on at most {sample.rows:,} rows, {cores()} cores, {device}")
    say(_make_line(_COLUMNS))


def _say_rates(rates: Mapping[int, float], say: Say) -> None:
    for workers, rate in rates.items():
        threads = threads_for(workers)
        say(f"with preprocessing, {workers} workers x {threads} threads: {rate:,.0f} rows/s")


def _say_result(report: TuningReport, path: str, say: Say) -> None:
    settings = report.settings
    workers = report.workers
    reference = "float32, eager"
    # What else computes has no such.
    if settings.engine != DEFAULT_ENGINE:
        reference = f"{settings.as_reference()}, untuned"
    say(
        f"fastest: {settings}, mini-batches of {settings.batch_rows:,}, "
        f"{workers} workers x {threads_for(workers)} threads: "
        f"{report.speed_up:.2f} times as fast as {reference}\n"
        f"tuning report: {path}; jobs with model.dtype=auto use it"
    )


def _make_cells(measured: Measured, reference: Measured) -> list[str]:
    """Return one row of the table."""
    settings = measured.settings
    rate = measured.rate
    shown_rate = _UNKNOWN
    speed_up = _UNKNOWN
    # What could not be loaded has none.
    if rate:
        shown_rate = f"{rate:,.0f}"
    if rate and reference.rate:
        speed_up = f"{rate / reference.rate:.2f}"

    difference = _UNKNOWN
    labels = _UNKNOWN
    cosine = _UNKNOWN
    agreement = measured.agreement
    if agreement is not None:
        difference = f"{agreement.max_difference:.2g}"
        # A model has labels, or vectors to compare the directions of.
        labels = _format_known(agreement.label_agreement, ".4f")
        cosine = _format_known(agreement.cosine, ".6f")
    return [
        str(settings),
        f"{settings.batch_rows:,}",
        shown_rate,
        speed_up,
        difference,
        labels,
        cosine,
        measured.problem,
    ]


def _format_known(value: float | None, spec: str) -> str:
    if value is None:
        return _UNKNOWN
    return format(value, spec)


def _make_line(cells: Sequence[str]) -> str:
    name, *numbers = cells
    # Words to the left, numbers below each other.
    shown = [name.ljust(_WIDTHS[0])]
    for cell, width in zip(numbers, _WIDTHS[1:], strict=True):
        shown.append(cell.rjust(width))
    return "  ".join(shown).rstrip()


def _say_nothing(_: str) -> None: ...


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.tune",
        "Find the fastest settings whose scores stay close to float32, eager.",
        EXIT_STATUSES,
    )
    add_job_flags(parser)
    rows = f"rows of the sample, at most (default: {_ROWS})"
    parser.add_argument("--rows", type=int, default=_ROWS, help=rows)
    without = "leave this out; may be repeated"
    parser.add_argument("--without", action="append", default=[], choices=WITHOUT, help=without)
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse_whole(argv)
    if arguments.rows < 1:
        raise JobError(f"--rows must be >= 1, got {arguments.rows}")
    return arguments


if __name__ == "__main__":
    stop_on_terminate()
    end_process(run_program(main))
