"""A packaging job -> what its package is made of: the sample, the author's scores, a library's settings."""

from dataclasses import dataclass, replace
from typing import TypeAlias

import pyarrow as pa

from configs.packaging import PackagingJob
from model_zoo.steps.load_file import LoadFile
from model_zoo.steps.table import AnyStep
from pipelines.packing.asking.questions import Questions
from pipelines.packing.contract.contract import choose_columns
from pipelines.packing.hugging_face.check import check_folder
from pipelines.packing.hugging_face.folder import read_folder
from pipelines.packing.material import AS_IT_IS, Material, Reading
from pipelines.packing.networks.pictures import add_image_step
from pipelines.packing.sample.named_files import Taken, are_pictures, load_named
from pipelines.packing.sample.named_files import read_folder as read_pictures
from pipelines.packing.sample.tables import read_sample

Job: TypeAlias = PackagingJob[AnyStep]


@dataclass(frozen=True)
class _Read:
    """The sample as it was read, or None."""

    job: Job
    sample: pa.Table | None = None
    reading: Reading = AS_IT_IS
    notes: tuple[str, ...] = ()


def gather_material(job: Job, questions: Questions) -> Material:
    """Return what the job's package is made of, as far as it is there.

    Args:
        job: the job, as its author wrote it.
        questions: what is missing, or cannot be read, is asked there.
    """
    read = _read_sample(job, questions)
    material = Material(
        job=read.job,
        sample=read.sample,
        expected=_read_expected(job, questions),
        reading=read.reading,
        notes=read.notes,
    )
    if job.huggingface is not None:
        return _read_folder(material, questions)
    if job.network:
        return _add_image_step(material, questions)
    return material


def take_sample(job: Job) -> Taken:
    """Return the job's sample, with the contents of files.

    Raises:
        JobError: a step that names no column of the sample.
        InputError: the sample cannot be read, or none of its files.
    """
    if are_pictures(job.sample):
        return read_pictures(job)
    sample = read_sample(job.sample, job.key)
    steps = tuple(step for step in job.preprocess if isinstance(step, LoadFile))
    if not steps:
        return Taken(job, sample.rows, notes=sample.notes)
    taken = load_named(job, sample.rows, steps)
    return replace(taken, notes=(*sample.notes, *taken.notes))


def _read_sample(job: Job, questions: Questions) -> _Read:
    if not job.sample:
        return _Read(job)
    taken = questions.ask(take_sample, job)
    if taken is None:
        return _Read(job)
    return _Read(taken.job, taken.table, taken.reading, taken.notes)


def _read_expected(job: Job, questions: Questions) -> pa.Table | None:
    if job.expected is None:
        return None
    read = questions.ask(read_sample, [job.expected], job.key)
    return None if read is None else read.rows


def _read_folder(material: Material, questions: Questions) -> Material:
    job = material.job
    # Without its column, nothing tells whether it takes texts or pictures.
    if not (job.text or job.image):
        return replace(material, is_ready=False)
    folder = questions.ask(read_folder, job)
    if folder is None:
        return replace(material, is_ready=False)
    settings = folder.notes
    sample = material.sample
    if sample is not None:
        if questions.ask(choose_columns, job, sample) is None:
            return replace(material, is_ready=False)
        compared = questions.ask(check_folder, folder, sample)
        settings += compared or ()
    return replace(material, job=folder.job, weights=folder.weights, settings=settings)


def _add_image_step(material: Material, questions: Questions) -> Material:
    added = questions.ask(add_image_step, material.job)
    if added is None:
        return replace(material, is_ready=False)
    job, settings = added
    return replace(material, job=job, settings=settings)
