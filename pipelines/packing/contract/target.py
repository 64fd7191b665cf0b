"""What is to be predicted of the sample, for steps that are fitted to it: the label that the model never sees."""

from typing import Literal

import numpy as np
import pyarrow as pa

from configs.errors import InputError, JobError
from configs.packaging import PackagingJob
from model_zoo.steps.columns import decode_dictionary
from model_zoo.steps.lists import is_list
from model_zoo.steps.select import Select
from model_zoo.steps.table import AnyStep
from model_zoo.steps.target import Target

# Integers of more values than that may be classes or quantities.
_MOST_CLASSES = 20


def find_target(job: PackagingJob[AnyStep], rows: pa.Table) -> Target | None:
    """Return the sample's label, where the job names one and a step needs it.

    Args:
        job: the job.
        rows: of the sample.

    Raises:
        JobError: it is not told what the label is.
        InputError: rows without a label.
    """
    if job.label is None or not any(map(_needs_target, job.preprocess)):
        return None
    chunked = rows.column(job.label)
    column = decode_dictionary(chunked.combine_chunks())
    missing = column.null_count
    if missing:
        raise InputError(
            f"sample: {missing:,} rows have no {job.label!r}, to which step select is "
            "fitted; leave these rows out of the sample"
        )
    if _find_task(job, column) == "regression":
        doubles = column.cast(pa.float64())
        numbers = doubles.to_numpy()
        return Target(numbers, "regression")
    encoded = column.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return Target(codes.astype(np.int64), "classification")


def _needs_target(step: AnyStep) -> bool:
    if not isinstance(step, Select) or step.is_fitted:
        return False
    return step.method != "variance"


def _find_task(
    job: PackagingJob[AnyStep], column: pa.Array
) -> Literal["classification", "regression"]:
    """Return what the label is, by the job's word or else by its type.

    Raises:
        JobError: it has a type that step select cannot be fitted to, or nothing tells.
    """
    dtype = column.type
    if is_list(dtype) or job.task not in (None, "classification", "regression"):
        raise JobError(
            f"preprocess step select: label {job.label!r} of type {dtype} is no one class or number a "
            "row, which it is fitted to when packaging; train the model here (pipelines.train), or "
            "name what is kept"
        )
    if job.task == "classification":
        return "classification"
    is_whole = pa.types.is_integer(dtype)
    is_quantity = pa.types.is_floating(dtype) or pa.types.is_decimal(dtype)
    is_number = is_whole or is_quantity
    if job.task == "regression" and not is_number:
        raise JobError(
            f"preprocess step select: label {job.label!r} of type {dtype} holds no numbers, and task "
            "is regression; name another label, or task: classification"
        )
    if job.task == "regression" or is_quantity:
        return "regression"
    # Only of whole numbers: Arrow does not tell apart the values of every type.
    if is_whole and len(column.unique()) > _MOST_CLASSES:
        raise JobError(
            f"preprocess step select: the integers of label {job.label!r} may be classes or "
            "quantities; say task: classification or task: regression"
        )
    return "classification"
