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
        is_one = array.shape[1:] == (1,)
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
    changes = {"activation": activation, "task": task}
    settled = job.model_copy(update=changes)
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
    first, *others = outputs.values()
    is_plain = first.ndim <= 2 and not others
    # Several outputs, or arrays, have no activation; labels would be for one.
    if not is_plain and not job.labels:
        return "none"
    raise JobError(
        f"task or activation is needed: the network gives {shapes}, and nothing tells whether these "
        f"are logits; {_ASKED}"
    )


def _find_activation_of_classes(
    job: Job,
    outputs: Arrays,
    shapes: dict[str, object],
) -> str:
    flat = [array.reshape(-1) for array in outputs.values()]
    numbers = np.concatenate(flat)
    is_below = numbers < 0
    is_above = numbers > 1
    is_beyond = is_below | is_above
    # A probability is never below 0 or above 1, and a model's logits hardly ever stay between.
    if not is_beyond.any():
        raise JobError(
            f"activation is needed: the network gives {shapes}, all numbers between 0 and 1 on the "
            "sample, which may be probabilities already (--activation none) or logits (sigmoid, softmax)"
        )
    first, *_ = outputs.values()
    # One logit a row is that of the second of two classes.
    is_one = first.ndim == 1
    if job.task == "multi_label" or is_one:
        return "sigmoid"
    return "softmax"


def _find_task(activation: str, outputs: Arrays) -> str | None:
    if activation == "none":
        return None
    row_shape = _find_row_shape(outputs)
    if is_of_label_sets(activation, row_shape):
        return "multi_label"
    if is_of_tokens(activation, row_shape):
        return "tokens"
    return "classification"


def _list_problems(job: Job, outputs: Arrays, tokens: int | None) -> list[str]:
    """Return all that the job says and the outputs do not bear out."""
    row_shape = _find_row_shape(outputs)
    task = job.task
    activation = job.activation
    are_several = len(outputs) != 1
    names_numbers = task == "regression" and job.labels
    needs_one = activation != "none" or names_numbers
    if needs_one and are_several:
        names = list(outputs)
        return [
            f"activation {activation} needs one output, and the network gives {names}; "
            "choose one of them in your forward (or in outputs), or say activation none"
        ]
    problems = []
    if activation != "none":
        problems += _list_misfits(job, outputs, tokens)
    elif task == "ranking" and (are_several or row_shape):
        shapes = _describe(outputs)
        problems.append(f"task ranking needs one number a row, and the network gives {shapes}")
    elif task == "tokens":
        problems.append(
            "task tokens needs activation softmax, a logit for each class of each token"
        )
    count = _count_labels(job, row_shape)
    given = len(job.labels)
    if given and count is not None and given != count:
        problems.append(f"labels holds {given} names, and there are {count} classes")
    return problems


def _list_misfits(job: Job, outputs: Arrays, tokens: int | None) -> list[str]:
    """Return why the one output is not what the activation takes, or gives no scores of the task."""
    row_shape = _find_row_shape(outputs)
    activation = str(job.activation)
    if not _fits_activation(job, row_shape, tokens):
        return [f"activation {activation} does not fit an output of shape {row_shape} a row"]
    if job.task != _find_task(activation, outputs):
        return [
            f"task {job.task} does not fit activation {activation} of an output of shape "
            f"{row_shape} a row"
        ]
    return []


def _find_row_shape(outputs: Arrays) -> tuple[int, ...]:
    """Return the shape of a row of the first output."""
    first, *_ = outputs.values()
    return first.shape[1:]


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
        if job.task != "regression":
            return None
        return prod(row_shape)
    if not row_shape:
        # A sigmoid's one number is about the second of two classes.
        return 2
    return row_shape[-1]


def _describe(outputs: Arrays) -> dict[str, object]:
    described: dict[str, object] = {}
    for name, array in outputs.items():
        described[name] = array.shape[1:] or "one number a row"
    return described
