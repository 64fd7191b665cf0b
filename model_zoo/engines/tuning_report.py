"""A tuning report: the settings that `pipelines.tune` found fastest, and how their scores differ.

It holds for one model on one kind of machine, because both decide how numbers are rounded, and for
jobs that make inputs and labels as the one that was tuned. Whoever scores by it checks that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import math
import sys
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from configs.errors import JobError
from configs.suggest import nearest
from configs.tolerance import Tolerance
from model_zoo.engines.former_settings import GONE, leave_out_gone, read_former_settings
from model_zoo.engines.machine import machine_kind
from model_zoo.engines.settings import DEFAULT_ENGINE, Settings
from model_zoo.engines.table import ENGINES
from model_zoo.evaluation.agreement import Agreement

# For its types alone: torch takes a second to import, and a run that is published needs none of it.
if TYPE_CHECKING:
    import torch

# A digest's first digits, which tell models apart as well as all 64 do.
_SHOWN_DIGITS = 12
# Of a number of cores.
_CORES_DIGITS = 6
# Infinity is no figure.
_LARGEST = sys.float_info.max
# Of two rows that are the same, rounding makes a cosine a little more than 1.
_LARGEST_COSINE = 1.001
_LARGEST_BYTE = 255
# Activations whose probabilities become labels.
_WITH_LABELS = ("sigmoid", "softmax")
# Beside the names of `machine_kind`: the engine's library, with its version.
_LIBRARY = "library"
# Reports of older versions are read, too.
ReportedSettings: TypeAlias = Annotated[Settings, BeforeValidator(read_former_settings)]


@dataclass(frozen=True)
class Choice:
    """Settings that were measured and may be used.

    Attributes:
        library: what computed with them, with its version; empty where nobody wrote it down.
        agreement: with the reference, on a sample of the job's own rows.
        rows_per_second, speed_up: on all cores with preprocessing, and relative to the reference.
        workers: how many were fastest with them; None in reports of before that was compared.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")
    settings: ReportedSettings
    library: str
    agreement: Agreement
    rows_per_second: float
    speed_up: float
    workers: int | None = None


NextBest: TypeAlias = Annotated[tuple[Choice, ...], BeforeValidator(leave_out_gone)]


@dataclass(frozen=True)
class TuningReport:
    """The settings that were found fastest, and all that was measured.

    Attributes:
        model: name, version and digest of the package.
        job: what the job says that decides inputs and labels.
        machine: see `machine_kind`.
        settings, library, agreement, rows_per_second, speed_up: see `Choice`, of the fastest.
        workers: how many workers on the machine were fastest.
        threads: of each of them; None in reports of before they were written down.
        rows_per_night: the rows of a run, which the time to load a model was weighed against; None
            where nobody knew them.
        made_at: time in UTC, ISO 8601.
        next_best: others that may be used, the fastest first.
        tried: every setting that was measured, as the table shows it, of the network alone.
        compared: those that took turns, preprocessing included, each with so many workers.
        format: version of this file's format; others than these are not read.
    """

    # An unknown field is one that this version would not check.
    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")
    model: Mapping[str, str]
    job: Mapping[str, Any]
    machine: Mapping[str, str]
    settings: ReportedSettings
    workers: int
    agreement: Agreement
    tolerance: Tolerance
    rows_per_second: float
    speed_up: float
    made_at: str
    tried: tuple[Mapping[str, Any], ...] = ()
    compared: tuple[Mapping[str, Any], ...] = ()
    # Reports of format 2 are of one engine, and have none of these fields.
    library: str = ""
    threads: int | None = None
    rows_per_night: int | None = None
    next_best: NextBest = ()
    format: Literal[2, 3] = 3

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Return all settings that may be used, the fastest first."""
        fastest = Choice(
            settings=self.settings,
            library=self.library,
            agreement=self.agreement,
            rows_per_second=self.rows_per_second,
            speed_up=self.speed_up,
            workers=self.workers,
        )
        return (fastest, *self.next_best)

    def to_json(self) -> bytes:
        """Return the content of its file."""
        return _REPORT.dump_json(self, indent=1) + b"\n"


_REPORT = TypeAdapter(TuningReport)


def parse_tuning_report(content: bytes, url: str) -> TuningReport:
    """Return the tuning report in a file.

    Args:
        content: of the file.
        url: of the file, for messages.

    Raises:
        JobError: it is none, or names more workers than cores, settings that are gone, or figures
            that were not measured.
    """
    try:
        report = _REPORT.validate_json(content)
    except ValidationError as error:
        for found in error.errors(include_input=False, include_url=False):
            if found["type"] == GONE:
                raise JobError(f"{url}: {found['msg']}") from error
        raise JobError(
            f"{url}: is not a tuning report of this version; run pipelines.tune again"
        ) from error
    cores = report.machine.get("cores", "")
    digits = cores[:_CORES_DIGITS]
    for choice in report.choices:
        workers = report.workers if choice.workers is None else choice.workers
        # Tuning tries no more, and a thread each would be started.
        is_possible = cores.isdecimal() and 1 <= workers <= int(digits)
        if not is_possible:
            raise JobError(
                f"{url}: names {workers:,} workers for a machine of {digits} "
                "cores; run pipelines.tune again"
            )
        _refuse_impossible(choice, url)
        _refuse_impossible_scales(choice.settings, url)
    _refuse_unmeasured(report, url)
    return report


def _refuse_impossible(choice: Choice, url: str) -> None:
    """Refuse settings of an engine that there is not, or with figures that nobody can have measured.

    The file may have been edited: figures that mean nothing must not pass for agreement, and would
    stand in the manifest.
    """
    engine = choice.settings.engine
    if engine not in ENGINES:
        hint = nearest(engine, sorted(ENGINES))
        raise JobError(
            f"{url}: engine {engine!r} is unknown{hint}; run pipelines.tune again with this version"
        )
    agreement = choice.agreement
    figures = (
        ("agreement.rows", agreement.rows, 1, math.inf),
        ("agreement.max_difference", agreement.max_difference, 0, _LARGEST),
        ("agreement.label_agreement", agreement.label_agreement, 0, 1),
        ("agreement.cosine", agreement.cosine, -_LARGEST_COSINE, _LARGEST_COSINE),
        ("rows_per_second", choice.rows_per_second, 0, _LARGEST),
        ("speed_up", choice.speed_up, 0, _LARGEST),
    )
    for name, value, least, most in figures:
        # Both comparisons are false of NaN.
        if value is not None and not least <= value <= most:
            raise JobError(
                f"{url}: says that {name} is {value}, which nobody can have measured; "
                "run pipelines.tune again"
            )


def _refuse_impossible_scales(settings: Settings, url: str) -> None:
    """Refuse scales of int8 by which no number becomes a byte: torch would fail on them, or score NaN."""
    for scale in settings.scales:
        # False of NaN, too.
        is_size = 0 < scale.scale <= _LARGEST
        is_byte = 0 <= scale.low <= scale.zero_point <= scale.high <= _LARGEST_BYTE
        if not (is_size and is_byte):
            raise JobError(
                f"{url}: has a scale of int8 that nobody can have measured; run pipelines.tune again"
            )


def _refuse_unmeasured(report: TuningReport, url: str) -> None:
    """Refuse settings whose scores were compared by less than tuning compares: the rest was not measured."""
    activation = report.job.get("postprocess.activation")
    # Tuning compares all settings by the same figures.
    has_cosine = any(choice.agreement.cosine is not None for choice in report.choices)
    for choice in report.choices:
        missing = ""
        if activation in _WITH_LABELS and choice.agreement.label_agreement is None:
            missing = "label_agreement"
        elif has_cosine and choice.agreement.cosine is None:
            missing = "cosine"
        if missing:
            raise JobError(
                f"{url}: says of {choice.settings} no agreement.{missing}, which was not measured "
                "then; run pipelines.tune again"
            )


def refuse_other_model(report: TuningReport, digest: str, url: str) -> None:
    """Refuse a tuning report that is about another model.

    Args:
        report: of any model.
        digest: of the package that is to be scored with.
        url: of the report, for messages.

    Raises:
        JobError: it is.
    """
    model = report.model
    # The file is a stranger's, perhaps, and may name none.
    made_for = model.get("digest", "")
    # By digest: a name and a version may stand for other weights by now.
    if made_for != digest:
        model_name = model.get("name", "none")
        version = model.get("version", "")
        name = f"{model_name} {version}"
        other = f"{name} ({made_for[:_SHOWN_DIGITS]})"
        raise JobError(
            f"{url}: is the tuning report of another model, {other}, "
            f"not of {digest[:_SHOWN_DIGITS]}; "
            "run pipelines.tune again, or set model.dtype to float32"
        )


def refuse_other_job(
    report: TuningReport,
    job: Mapping[str, Any],
    url: str,
) -> None:
    """Refuse what was measured on inputs or labels that were made otherwise.

    Args:
        report: of the job's model.
        job: what the job says that decides them, by the names that it has there.
        url: of the report, for messages.

    Raises:
        JobError: they were.
    """
    # Only what the job says now: a report may hold more, from a version that knew more.
    for name, value in job.items():
        if report.job.get(name) != value:
            raise JobError(
                f"{url}: was made with another {name} than the job's; run pipelines.tune again"
            )


def refuse_loose(choice: Choice, tolerance: Tolerance, url: str) -> None:
    """Refuse settings whose scores differ more than the job allows by now.

    Args:
        choice: of a report of the job's model, and of its inputs and labels.
        tolerance: of the job; that of the report may have been larger.
        url: of the report, for messages.

    Raises:
        JobError: they do.
    """
    if not choice.agreement.is_within(tolerance):
        raise JobError(
            f"{url}: {choice.settings} agrees with float32 less than model.tolerance asks for; "
            "run pipelines.tune again"
        )


def describe_machine(
    machine: Mapping[str, str],
    choice: Choice,
) -> dict[str, str]:
    """Return where settings hold: on this kind of machine, and with this version of the engine.

    Args:
        machine: the report's.
        choice: the settings.
    """
    described = dict(machine)
    # torch's version is part of every kind of machine, as the reference is computed with it.
    if choice.settings.engine != DEFAULT_ENGINE:
        # Of a report that does not say it nobody knows whether it is the version that is here.
        described[_LIBRARY] = choice.library or "an unknown version"
    return described


def refuse_elsewhere(
    measured_on: Mapping[str, str],
    device: "torch.device",
    library: str,
) -> None:
    """Refuse to compute here what was measured on another kind of machine, or by another version.

    Args:
        measured_on: as `describe_machine` returns it.
        device: where it shall be computed.
        library: the engine's library here, with its version.

    Raises:
        JobError: this is another.
    """
    here = machine_kind(device)
    if _LIBRARY in measured_on:
        here[_LIBRARY] = library
    refuse_other_machine(measured_on, here)


def refuse_other_machine(
    machine: Mapping[str, str],
    here: Mapping[str, str],
) -> None:
    """Refuse to compute on another kind of machine than the tuning report's.

    Args:
        machine: the kind that was measured on.
        here: this machine's.

    Raises:
        JobError: it is another.
    """
    # Of either: what only one side knows is a difference too.
    for name in sorted({*machine, *here}):
        there = machine.get(name, "unknown")
        found = here.get(name, "unknown")
        if machine.get(name) == here.get(name):
            continue
        if name == _LIBRARY:
            raise JobError(
                f"model.tuning_report: was made with {there}, and {found} is installed here; "
                "run pipelines.tune again, or set model.dtype to float32"
            )
        raise JobError(
            f"model.tuning_report: was made on another kind of machine: {name} {there!r} there, "
            f"{found!r} here; run pipelines.tune on this kind, or set model.dtype to float32"
        )
