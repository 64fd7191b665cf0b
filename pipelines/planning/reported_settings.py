"""From a tuning report to the settings of it that a job scores with."""

from collections.abc import Sequence
from typing import NamedTuple

from configs.errors import JobError
from configs.tolerance import Tolerance
from model_zoo.engines.engine import Engine, find_missing_library, make_engine
from model_zoo.engines.tuning_report import Choice, TuningReport, refuse_loose


class Chosen(NamedTuple):
    """The settings that a job scores with.

    Attributes:
        fallen_back: why they are not the report's fastest, in words; empty where they are.
    """

    choice: Choice
    fallen_back: str = ""


def choose_reported(
    report: TuningReport,
    tolerance: Tolerance,
    fallback: bool,
    url: str,
) -> Chosen:
    """Return the fastest settings of a report; others of it only where the job allows that.

    Args:
        report: of the job's model, and of its inputs and labels.
        tolerance: of the job.
        fallback: whether the job lets others be used where the fastest one's library is missing.
        url: of the report, for messages.

    Raises:
        JobError: the fastest settings differ more than the job allows, or their library is not
            installed and the job allows no others, or the report has none that can run.
        ModelError: they name an engine that does not exist.
    """
    fastest, *others = report.choices
    refuse_loose(fastest, tolerance, url)
    engine = make_engine(fastest.settings.engine)
    missing = find_missing_library(engine)
    # Of another version it is refused where all else of the machine is compared.
    if missing is None:
        return Chosen(fastest)
    usable = _list_usable(others, tolerance)
    why = f"{fastest.settings} needs {missing}, which is not installed here"
    if not usable:
        raise JobError(
            f"{url}: {why}, and nothing else of the report can run; {_install(engine)}, "
            "or run pipelines.tune again"
        )
    # As the report has them, the fastest first.
    next_best = usable[0]
    if not fallback:
        raise JobError(
            f"{url}: {why}; {_install(engine)}, or set model.fallback to true, which takes "
            f"{next_best.settings}, {next_best.speed_up:.2f} times as fast as the reference"
        )
    return Chosen(next_best, why)


def refuse_other_engine(report: TuningReport, engine: str, url: str) -> None:
    """Refuse the report of another engine than the one that a job names.

    Args:
        report: of the job's model.
        engine: the job's, or `auto`.
        url: of the report, for messages.

    Raises:
        JobError: it is.
    """
    found = report.settings.engine
    if engine not in ("auto", found):
        raise JobError(
            f"{url}: is the tuning report of engine {found}, and the job says model.engine {engine}; "
            f"run pipelines.tune again, which then tries {engine} alone, or set model.engine to auto"
        )


def _list_usable(choices: Sequence[Choice], tolerance: Tolerance) -> list[Choice]:
    """Return those that the job allows, and whose library is installed as it was when measured."""
    usable = []
    for choice in choices:
        engine = make_engine(choice.settings.engine)
        if find_missing_library(engine) is not None:
            continue
        # What nobody has measured here is no choice.
        is_same_version = engine.describe_version() == choice.library
        if is_same_version and choice.agreement.is_within(tolerance):
            usable.append(choice)
    return usable


def _install(engine: Engine) -> str:
    return f"install its extra where workers run: pip install '.[{engine.extra}]'"
