"""An agreement certificate: the settings that `pipelines.tune` found fastest, and how far their scores are from float32 eager.

It holds for one model on one kind of machine, because both decide how numbers are rounded, and for jobs that make inputs and labels as
the one that was tuned. Whoever scores by it checks that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from configs.errors import JobError
from model_zoo.agreement import Agreement, Tolerance
from model_zoo.settings import Settings


@dataclass(frozen=True)
class Certificate:
    """What was measured.

    Attributes:
        model: name, version and digest of the package.
        job: what the job says that decides inputs and labels.
        machine: see `machine_kind`.
        workers: how many workers on the machine were fastest.
        agreement: with float32 eager, on a sample of the job's own rows.
        rows_per_second, speed_up: of the network alone, and relative to float32 eager.
        tried: every setting that was measured, as the table shows it.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")
    model: Mapping[str, str]
    job: Mapping[str, Any]
    machine: Mapping[str, str]
    settings: Settings
    workers: int
    agreement: Agreement
    tolerance: Tolerance
    rows_per_second: float
    speed_up: float
    made_at: str
    tried: tuple[Mapping[str, Any], ...] = ()
    format: Literal[2] = 2

    def to_json(self) -> bytes:
        """The content of its file."""
        return _CERTIFICATE.dump_json(self, indent=1) + b"\n"


_CERTIFICATE = TypeAdapter(Certificate)


def parse_certificate(content: bytes, where: str) -> Certificate:
    """The certificate in a file.

    Raises:
        JobError: it is none.
    """
    try:
        return _CERTIFICATE.validate_json(content)
    except ValidationError as error:
        raise JobError(f"{where}: is not a certificate of this version; run pipelines.tune again") from error


def refuse_other_model(certificate: Certificate, digest: str, where: str) -> None:
    """Refuse a certificate that is about another model.

    Raises:
        JobError: it is.
    """
    if certificate.model["digest"] != digest:
        made_for = f"{certificate.model['name']} {certificate.model['version']} ({certificate.model['digest'][:12]})"
        raise JobError(
            f"{where}: is the certificate of another model, {made_for}, not of {digest[:12]}; run pipelines.tune again, or set "
            "model.dtype to float32"
        )


def refuse_other_job(certificate: Certificate, job: Mapping[str, Any], where: str) -> None:
    """Refuse what was measured on inputs or labels that were made otherwise.

    Raises:
        JobError: they were.
    """
    for name, value in job.items():
        if certificate.job.get(name) != value:
            raise JobError(f"{where}: was made with another {name} than the job's; run pipelines.tune again")


def refuse_loose(certificate: Certificate, tolerance: Tolerance, where: str) -> None:
    """Refuse settings whose scores differ more than the job allows by now.

    Raises:
        JobError: they do.
    """
    if not certificate.agreement.is_within(tolerance):
        raise JobError(
            f"{where}: {certificate.settings} agrees with float32 less than model.tolerance asks for; run pipelines.tune again"
        )


def refuse_other_machine(machine: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Refuse to compute on another kind of machine than the certificate's.

    Raises:
        JobError: it is another.
    """
    differing = [name for name in sorted({*machine, *here}) if machine.get(name) != here.get(name)]
    if differing:
        name = differing[0]
        raise JobError(
            f"model.certificate: was made on another kind of machine: {name} {machine.get(name, 'unknown')!r} there, "
            f"{here.get(name, 'unknown')!r} here; run pipelines.tune on this kind, or set model.dtype to float32"
        )
