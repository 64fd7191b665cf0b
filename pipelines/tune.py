"""Find the fastest settings whose scores stay close to float32, eager: `python -m pipelines.tune --config configs/digits.yaml`.

It scores a sample of the job's own rows with the job's own model on this machine, setting by setting, and leaves the fastest one that
is within `model.tolerance` in the file `model.certificate`, which jobs with `model.dtype: auto` score with.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

from configs.errors import JobError
from configs.job import Job
from model_zoo.certificate import Certificate
from model_zoo.machine import cores, machine_kind
from model_zoo.scorer import resolve_devices, threads_for
from pipelines.candidates import WITHOUT, Measured, Tuning
from pipelines.command_line import EXIT_STATUSES, Parser, run_program, stop_on_terminate
from pipelines.job_flags import add_job_flags, load_job
from pipelines.leaving import leave
from pipelines.plan import Plan, make_plan
from pipelines.report import shown_path
from pipelines.speed import activation_of, deciding, default_batch_rows, tolerance_of
from pipelines.tuning_sample import sample_of
from storage import files

_ROWS = 1 << 17


def main(argv: Sequence[str]) -> int:
    """Tune as the command line says, and return the exit status."""
    arguments = _parse(argv)
    job = load_job(arguments)
    if job.model.certificate is None:
        raise JobError("model.certificate is not set; name the file that pipelines.tune shall write")
    plain = job.model_copy(update={"model": job.model.model_copy(update={"dtype": "float32"})})
    plan = make_plan(plain)
    sample = sample_of(plan, arguments.rows)
    say = partial(print, flush=True) if not arguments.quiet else _say_nothing
    say(f"tuning {plan.package.card.name} on at most {sample.rows:,} rows, {cores()} cores, {job.model.device}")
    say(_line(["setting", "batch rows", "rows/s", "speed-up", "max difference", "label agreement", "cosine", ""]))
    tuning = Tuning(
        plan.package,
        job.model.device,
        sample,
        tolerance_of(job),
        activation_of(job, plan.package.card),
        job.postprocess.threshold,
        job.model.timeout_seconds,
        lambda m: say(_line(_cells(m, tuning.measured[0]))),
    )
    batch_rows = job.model.batch_rows or default_batch_rows(plan.package.card)
    best = tuning.search(batch_rows, job.model.batch_rows is not None, arguments.without)
    workers, rates = tuning.workers(best.settings, best.rows_per_second or 1.0)
    for count, rate in rates.items():
        say(f"with preprocessing, {count} workers x {threads_for(count)} threads: {rate:,.0f} rows/s")
    certificate = _certificate(job, plan, tuning, best, workers)
    _store(str(job.model.certificate), certificate)
    say(
        f"fastest: {best.settings}, mini-batches of {best.settings.batch_rows:,}, {workers} workers x {threads_for(workers)} threads: "
        f"{certificate.speed_up:.2f} times as fast as float32, eager\n"
        f"certificate: {shown_path(str(job.model.certificate))}; jobs with model.dtype=auto use it"
    )
    return 0


def _certificate(job: Job, plan: Plan, tuning: Tuning, best: Measured, workers: int) -> Certificate:
    card = plan.package.card
    assert best.agreement is not None  # noqa: S101 - what has none is not kept
    return Certificate(
        model={"name": card.name, "version": card.version, "digest": plan.package.digest},
        job=deciding(job, card),
        machine=machine_kind(resolve_devices(job.model.device)[0]),
        settings=best.settings,
        workers=workers,
        agreement=best.agreement,
        tolerance=tolerance_of(job),
        rows_per_second=best.rows_per_second or 0.0,
        speed_up=best.speed_up or 1.0,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        tried=tuple(_tried(m) for m in tuning.measured),
    )


def _tried(measured: Measured) -> dict[str, Any]:
    return {
        "settings": str(measured.settings),
        "batch_rows": measured.settings.batch_rows,
        "rows_per_second": measured.rows_per_second,
        "agreement": asdict(measured.agreement) if measured.agreement else None,
        "problem": measured.problem,
    }


def _store(url: str, certificate: Certificate) -> None:
    try:
        files.put(files.absolute(url), certificate.to_json())
    except (OSError, ImportError, ValueError) as error:
        raise JobError(f"model.certificate {url}: cannot be written: {error}; mend its place, or name another file") from error


def _cells(m: Measured, reference: Measured) -> list[str]:
    """One row of the table."""
    rate, base, found = m.rows_per_second, reference.rows_per_second, m.agreement
    return [
        str(m.settings),
        f"{m.settings.batch_rows:,}",
        f"{rate:,.0f}" if rate else "-",
        f"{rate / base:.2f}" if rate and base else "-",
        f"{found.max_difference:.2g}" if found else "-",
        f"{found.label_agreement:.4f}" if found and found.label_agreement is not None else "-",
        f"{found.cosine:.6f}" if found and found.cosine is not None else "-",
        m.problem,
    ]


def _line(cells: Sequence[str]) -> str:
    widths = (32, 10, 10, 8, 14, 15, 9, 0)
    return "  ".join(
        cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ).rstrip()


def _say_nothing(_: str) -> None: ...


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser("pipelines.tune", "Find the fastest settings whose scores stay close to float32, eager.", EXIT_STATUSES)
    add_job_flags(parser)
    parser.add_argument("--rows", type=int, default=_ROWS, help=f"rows of the sample, at most (default: {_ROWS})")
    parser.add_argument("--without", action="append", default=[], choices=WITHOUT, help="leave this out; may be repeated")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments, unknown = parser.parse_known_args(list(argv))
    parser.refuse_unknown(unknown)
    if arguments.rows < 1:
        raise JobError(f"--rows must be >= 1, got {arguments.rows}")
    return arguments


if __name__ == "__main__":
    stop_on_terminate()
    leave(run_program(main))
