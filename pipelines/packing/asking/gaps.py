"""What a packaging job itself does not say and nothing else tells: which model, of what rows, to where."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from configs.errors import JobError
from configs.packaging import CONVERTED, PackagingJob
from model_zoo.package.card import CARD
from model_zoo.steps.table import AnyStep
from pipelines.packing.asking.questions import Questions
from storage import files

# Weights are torch's, which takes seconds to import, and a wrong job is told without.
if TYPE_CHECKING:
    from pipelines.packing.material import Material

_OTHER_KINDS = ", ".join(("huggingface", *CONVERTED, "remote"))


def ask_for_gaps(material: "Material", questions: Questions) -> None:
    """Ask for what the job leaves out, all of it in one question.

    Args:
        material: what is known.
        questions: where it is asked.
    """
    has_weights = bool(material.weights)
    has_sample = material.sample is not None
    gaps = list_gaps(material.job, has_weights, has_sample)
    if gaps:
        listed = "; ".join(gaps)
        questions.begin_with(JobError(f"is needed: {listed}"))
    if material.job.output and not material.trained.replaces:
        questions.ask(refuse_standing, material.job.output)


def refuse_standing(url: str) -> None:
    """Refuse a folder with a package at once, and not after all the work.

    Raises:
        JobError: there is one.
    """
    card = files.join(url, CARD)
    if files.exists(card):
        raise JobError(
            f"output {url}: holds a model package already, and packages never change; "
            "choose another folder, a new version for example"
        )


def ask_beside(error: JobError, fields: Mapping[str, Any]) -> JobError:
    """Return the refusal of a job that is not valid, with what it leaves out beside that.

    Args:
        error: what is wrong with it.
        fields: as its author wrote it.
    """
    known = {name: fields[name] for name in PackagingJob.model_fields if name in fields}
    # Not validated: whether a field is there is all that is looked at.
    job = PackagingJob[AnyStep].model_construct(**known)
    gaps = list_gaps(job)
    if not gaps:
        return error
    listed = "; ".join(gaps)
    return JobError(f"{error}; is needed: {listed}")


def list_gaps(
    job: PackagingJob[AnyStep],
    has_weights: bool = False,
    has_sample: bool = False,
) -> list[str]:
    """Return the names of what is missing, each with what it is.

    Args:
        job: what its author wrote.
        has_weights: whether weights were found elsewhere than in the job.
        has_sample: whether a sample was.
    """
    gaps = []
    if not _names_model(job):
        gaps.append(f"network (with weights), or one of {_OTHER_KINDS}")
    if job.huggingface and not (job.text or job.image):
        gaps.append("text or image, the column that huggingface takes")
    if job.network and not (job.weights or has_weights):
        gaps.append("weights, the file of the network's state dict")
    if not (job.sample or has_sample):
        gaps.append("sample, files with rows as the job will have them")
    if job.expected is not None and job.key is None:
        gaps.append("key, by which rows of expected are compared")
    if not job.output:
        gaps.append("output, a folder for the package")
    return gaps


def _names_model(job: PackagingJob[AnyStep]) -> bool:
    # The section of a server first: of a job that is not valid it has no fields to look at.
    return bool(job.network or job.huggingface or job.remote or job.converted)
