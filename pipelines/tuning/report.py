"""From what tuning has measured to the file that scoring reads."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
import uuid

from configs.errors import JobError
from model_zoo.engines.engine import make_engine
from model_zoo.engines.machine import cores, machine_kind
from model_zoo.engines.tuning_report import Choice, TuningReport
from model_zoo.scoring.devices import resolve_devices, threads_for
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.plan import Plan
from pipelines.planning.plan_inference import list_deciding_values
from pipelines.tuning.kept_graphs import keep_graphs
from pipelines.tuning.measured import Measured
from pipelines.tuning.turns import Comparison
from storage import files


def make_report(
    job: ScoringJob,
    plan: Plan,
    found: Comparison,
    tried: Sequence[Measured],
    rows_per_night: int | None,
) -> TuningReport:
    """Return the report of a tuning that has ended.

    Args:
        job: the job that was tuned.
        plan: what it would do.
        found: the settings that may be used, and what took turns.
        tried: everything that was measured before.
        rows_per_night: the rows of a run; None where nobody knows them.
    """
    card = plan.package.card
    device = resolve_devices(job.model.device)[0]
    made_at = datetime.now(UTC)
    fastest, *others = [_make_choice(measured) for measured in found.best]
    workers = count_workers(found.best[0])
    return TuningReport(
        model={"name": card.name, "version": card.version, "digest": plan.package.digest},
        job=list_deciding_values(job, card),
        machine=machine_kind(device),
        settings=fastest.settings,
        library=fastest.library,
        workers=workers,
        threads=threads_for(workers),
        rows_per_night=rows_per_night,
        agreement=fastest.agreement,
        tolerance=job.model.tolerance,
        rows_per_second=fastest.rows_per_second,
        speed_up=fastest.speed_up,
        made_at=made_at.isoformat(timespec="seconds"),
        next_best=tuple(others),
        tried=tuple(_describe(measured) for measured in tried),
        compared=tuple(_describe_turns(measured) for measured in found.turns),
    )


def count_workers(measured: Measured) -> int:
    """Return how many workers settings are fastest with; one per core where that was not compared."""
    return measured.workers or cores()


def store_report(url: str, report: TuningReport) -> None:
    """Write a report to its file.

    Args:
        url: of the file.
        report: its content.

    Raises:
        JobError: it cannot be written; what stood there still does.
    """
    try:
        absolute = files.to_absolute(url)
        # Before the report, which is believed as soon as it stands there.
        kept = keep_graphs(report, absolute)
        # In one move: what stands there decides every night's scores.
        files.replace(absolute, kept.to_json())
    except (OSError, ImportError, ValueError) as error:
        raise JobError(
            f"model.tuning_report {url}: cannot be written: {error}; "
            "mend its place, or name another file"
        ) from error


def refuse_unwritable(url: str) -> None:
    """Refuse a place where no report can be written, before minutes of measuring are lost with it.

    Args:
        url: of the report.

    Raises:
        JobError: it is a folder, or nothing can be written beside it.
    """
    try:
        absolute = files.to_absolute(url)
        # Of a name that no other tuning takes; what stands there is left alone until there is more.
        probe = f"{absolute}.{uuid.uuid4().hex}"
        files.replace(probe, b"")
        files.remove(probe)
    except (OSError, ImportError, ValueError) as error:
        raise JobError(
            f"model.tuning_report {url}: cannot be written: {error}; "
            "mend its place, or name another file"
        ) from error
    if files.is_local(absolute) and Path(absolute).is_dir():
        raise JobError(f"model.tuning_report {url}: is a folder; name a file")


def _make_choice(measured: Measured) -> Choice:
    assert measured.agreement is not None  # noqa: S101 - what has none is not kept
    engine = make_engine(measured.settings.engine)
    return Choice(
        settings=measured.settings,
        library=engine.describe_version(),
        agreement=measured.agreement,
        rows_per_second=measured.rate,
        speed_up=measured.speed_up or 1.0,
        workers=count_workers(measured),
    )


def _describe(measured: Measured) -> dict[str, Any]:
    settings = measured.settings
    agreement = None
    if measured.agreement:
        agreement = asdict(measured.agreement)
    return {
        "engine": settings.engine,
        # In words: the scales of thousands of channels would drown the rest.
        "settings": str(settings),
        "batch_rows": settings.batch_rows,
        "rows_per_second": measured.rows_per_second,
        "agreement": agreement,
        "problem": measured.problem,
    }


def _describe_turns(measured: Measured) -> dict[str, Any]:
    workers = count_workers(measured)
    return {
        "engine": measured.settings.engine,
        "settings": str(measured.settings),
        "batch_rows": measured.settings.batch_rows,
        "workers": workers,
        "threads": threads_for(workers),
        "rounds": measured.rounds,
        "rows_per_second": measured.rows_per_second,
        "speed_up": measured.speed_up,
    }
