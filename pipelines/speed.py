"""How a job's network computes: as the job says, or, with `dtype: auto`, as the certificate of pipelines.tune says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from configs.errors import JobError
from configs.job import Job
from model_zoo.agreement import Agreement, Tolerance
from model_zoo.card import ModelCard
from model_zoo.certificate import (
    Certificate,
    parse_certificate,
    refuse_loose,
    refuse_other_job,
    refuse_other_machine,
    refuse_other_model,
)
from model_zoo.machine import machine_kind
from model_zoo.package import Package
from model_zoo.scorer import resolve_devices
from model_zoo.settings import Settings
from storage import files

_MINI_BATCH_BYTES = 512 << 10
_MINI_BATCH_TOKENS = 4096


@dataclass(frozen=True)
class Speed:
    """Settings, and where they hold.

    Attributes:
        machine: the kind of machine that they were measured on; None when they hold on every one.
        agreement: with float32, eager; None where nobody measured.
        workers: how many workers were fastest on such a machine; None where nobody measured.
        why: in words, for the log.
    """

    settings: Settings
    machine: Mapping[str, str] | None = None
    agreement: Agreement | None = None
    workers: int | None = None
    why: str = ""

    def refuse_elsewhere(self, job: Job) -> None:
        """Refuse to compute on this machine what was measured on another kind."""
        if self.machine is not None:
            refuse_other_machine(self.machine, machine_kind(resolve_devices(job.model.device)[0]))


def speed_of(job: Job, package: Package) -> Speed:
    """The settings of a job.

    Raises:
        JobError: its certificate is none, or belongs to another model or job, or allows more than the job's tolerance does.
    """
    model = job.model
    batch_rows = model.batch_rows or default_batch_rows(package.card)
    if model.dtype != "auto":
        return Speed(Settings(batch_rows, model.dtype))
    certificate = _read_certificate(str(model.certificate))
    if certificate is None:
        why = f"model.dtype auto: there is no {model.certificate} yet, so float32, eager; pipelines.tune makes one"
        return Speed(Settings(batch_rows), why=why)
    where = str(model.certificate)
    refuse_other_model(certificate, package.digest, where)
    refuse_other_job(certificate, deciding(job, package.card), where)
    refuse_loose(certificate, tolerance_of(job), where)
    settings = certificate.settings
    if model.batch_rows not in (None, settings.batch_rows):
        raise JobError(
            f"{where}: was made with model.batch_rows {settings.batch_rows}, and the job says {model.batch_rows}; run pipelines.tune again"
        )
    why = f"model.dtype auto: {settings}, {certificate.speed_up:.2f} times as fast as float32, eager, says {where}"
    return Speed(settings, certificate.machine, certificate.agreement, certificate.workers, why)


def tolerance_of(job: Job) -> Tolerance:
    """The job's tolerance as model_zoo takes it."""
    return Tolerance(**job.model.tolerance.model_dump())


def deciding(job: Job, card: ModelCard) -> dict[str, Any]:
    """What the job says that decides the model's inputs and labels, by the names that it has there."""
    activation = activation_of(job, card)
    return {
        "preprocess.steps": job.preprocess.model_dump(mode="json")["steps"],
        "postprocess.activation": activation,
        "postprocess.threshold": job.postprocess.threshold if activation == "sigmoid" else None,
    }


def activation_of(job: Job, card: ModelCard) -> str:
    """What makes probabilities of the model's outputs."""
    return card.activation if job.postprocess.activation == "auto" else job.postprocess.activation


def default_batch_rows(card: ModelCard) -> int:
    """Rows of a mini-batch: what stays in a core's cache, and is large enough that the calls do not count."""
    if card.mask is not None:
        return max(1, _MINI_BATCH_TOKENS // card.inputs[card.mask].shape[0])
    fitting = max(1, _MINI_BATCH_BYTES // bytes_per_row(card))
    return min(4096, max(32, 1 << (fitting.bit_length() - 1)))


def bytes_per_row(card: ModelCard) -> int:
    """Size of a row of network input."""
    return max(1, sum(np.dtype(t.dtype).itemsize * int(np.prod(t.shape)) for t in card.inputs.values()))


def _read_certificate(url: str) -> Certificate | None:
    try:
        content = files.read(files.absolute(url))
    except (OSError, ImportError, ValueError) as error:
        raise JobError(
            f"model.certificate {url}: cannot be read: {error}; mend its place, or set model.dtype to float32"
        ) from error
    return None if content is None else parse_certificate(content, url)
