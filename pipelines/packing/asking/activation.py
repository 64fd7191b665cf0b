"""What a model gives: whether its numbers are logits, and what its scores are, as the author says or the sample shows."""

from collections.abc import Sequence
from math import prod
from typing import TypeAlias

import numpy as np

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.steps.table import AnyStep
from transforms.score_columns import is_of_label_sets, is_of_tokens

Job: TypeAlias = PackagingJob[AnyStep]

# Of these the numbers are the scores.
_TASKS_OF_NUMBERS = ("regression", "ranking", "embedding")
_ASKED = (
    "--task says what they are: classification, multi_label, tokens, regression, ranking or "
    "embedding; or --activation: sigmoid (one logit a row, or one for each label of which a row may "
    "have several), softmax (a logit a class, also of each token), none (scores as they are)"
)


def squeeze(outputs: Arrays) -> Arrays:
    """Return (rows, 1) as (rows,): a number a row, and not a list of one."""
    squeezed = {}
    for name, array in outputs.items():
        is_one = array.ndim == 2 and array.shape[1] == 1
        squeezed[name] = array[:, 0] if is_one else array
    return squeezed


def settle_activation(
    job: Job,
    outputs: Arrays,
    tokens: int | None = None,
) -> Job:
    """Return the job with its activation, and with its task where that is known.

    Args:
        job: the job.
        outputs: of the model for the sample (rows, ...), by name.
        tokens: how many tokens a row has room for; None where it has none.

    Raises:
        JobError: what cannot be found, or does not fit the outputs; all of it.
    """
    activation = job.activation or _find_activation(job, outputs)
    task = job.task or _find_task(activation, outputs)
    settled = job.model_copy(update={"activation": activation, "task": task})
    problems = _list_problems(settled, outputs, tokens)
    if problems:
        raise JobError("; ".join(problems))
    return settled


def ask_for_activation(job: Job) -> None:
    """Ask what the numbers of a network are that cannot be called yet.

    Raises:
        JobError: the job does not say it.
    """
    if job.task is None and job.activation is None:
        raise JobError(
            "task or activation is needed, too, unless the network gives several outputs: nothing "
            f"tells whether one output's numbers are logits; {_ASKED}"
        )


def _find_activation(job: Job, outputs: Arrays) -> str:
    """Return whether the numbers are logits, and of what."""
    if job.task in _TASKS_OF_NUMBERS:
        return "none"
    shapes = _describe(outputs)
    if job.task is not None:
        return _find_activation_of_classes(job, outputs, shapes)
    first = next(iter(outputs.values()))
    is_plain = len(outputs) == 1 and first.ndim <= 2
    # Several outputs, or arrays, have no activation; labels would be for one.
    if not is_plain and not job.labels:
        return "none"
    raise JobError(
        f"task or activation is needed: the network gives {shapes}, and nothing tells whether these "
        f"are logits; {_ASKED}"
    )


def _find_activation_of_classes(job: Job, outputs: Arrays, shapes: dict[str, object]) -> str:
    flat = [array.reshape(-1) for array in outputs.values()]
    numbers = np.concatenate(flat)
    # A probability is never below 0 or above 1, and a model's logits hardly ever stay between.
    is_beyond = (numbers < 0) | (numbers > 1)
    if not is_beyond.any():
        raise JobError(
            f"activation is needed: the network gives {shapes}, all numbers between 0 and 1 on the "
            "sample, which may be probabilities already (--activation none) or logits (sigmoid, softmax)"
        )
    first = next(iter(outputs.values()))
    # One logit a row is that of the second of two classes.
    is_one = first.ndim == 1
    if job.task == "multi_label" or is_one:
        return "sigmoid"
    return "softmax"


def _find_task(activation: str, outputs: Arrays) -> str | None:
    if activation == "none":
        return None
    first = next(iter(outputs.values()))
    row_shape = first.shape[1:]
    if is_of_label_sets(activation, row_shape):
        return "multi_label"
    if is_of_tokens(activation, row_shape):
        return "tokens"
    return "classification"


def _list_problems(job: Job, outputs: Arrays, tokens: int | None) -> list[str]:
    """Return all that the job says and the outputs do not bear out."""
    row_shape = next(iter(outputs.values())).shape[1:]
    needs_one = job.activation != "none" or (job.task == "regression" and job.labels)
    if needs_one and len(outputs) != 1:
        return [
            f"activation {job.activation} needs one output, and the network gives {list(outputs)}; "
            "choose one of them in your forward (or in outputs), or say activation none"
        ]
    problems = []
    if job.activation != "none":
        if not _fits_activation(job, row_shape, tokens):
            problems.append(
                f"activation {job.activation} does not fit an output of shape {row_shape} a row"
            )
        elif job.task != _find_task(str(job.activation), outputs):
            problems.append(
                f"task {job.task} does not fit activation {job.activation} of an output of shape "
                f"{row_shape} a row"
            )
    elif job.task == "ranking" and (len(outputs) != 1 or row_shape):
        problems.append(
            f"task ranking needs one number a row, and the network gives {_describe(outputs)}"
        )
    elif job.task == "tokens":
        problems.append(
            "task tokens needs activation softmax, a logit for each class of each token"
        )
    count = _count_labels(job, row_shape)
    if job.labels and count is not None and len(job.labels) != count:
        problems.append(f"labels holds {len(job.labels)} names, and there are {count} classes")
    return problems


def _fits_activation(job: Job, row_shape: Sequence[int], tokens: int | None) -> bool:
    activation = str(job.activation)
    if is_of_tokens(activation, row_shape):
        return row_shape[0] == tokens
    if activation == "sigmoid":
        return len(row_shape) < 2
    return len(row_shape) == 1


def _count_labels(job: Job, row_shape: Sequence[int]) -> int | None:
    """Return how many names there are to give; None where names say nothing."""
    if job.activation == "none":
        return prod(row_shape) if job.task == "regression" else None
    if not row_shape:
        # A sigmoid's one number is about the second of two classes.
        return 2
    return row_shape[-1]


def _describe(outputs: Arrays) -> dict[str, object]:
    return {name: (array.shape[1:] or "one number a row") for name, array in outputs.items()}
