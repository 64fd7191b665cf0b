"""What a model gives, and whether the author's word for it, its activation, goes with that."""

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.steps.table import AnyStep


def squeeze(outputs: Arrays) -> Arrays:
    """Return (rows, 1) as (rows,): a number a row, and not a list of one."""
    squeezed = {}
    for name, array in outputs.items():
        is_one = array.ndim == 2 and array.shape[1] == 1
        squeezed[name] = array[:, 0] if is_one else array
    return squeezed


def check_activation(job: PackagingJob[AnyStep], outputs: Arrays) -> None:
    """Refuse what cannot be found: whether the numbers are logits."""
    if job.activation in ("sigmoid", "softmax"):
        _check_logits(job, outputs)
        return
    if job.activation == "none":
        return
    shapes = {name: (array.shape[1:] or "one number a row") for name, array in outputs.items()}
    # Several outputs, or arrays, have no activation.
    if len(outputs) != 1 or next(iter(outputs.values())).ndim > 2:
        return
    raise JobError(
        f"activation is needed: the network gives {shapes}, and nothing tells whether these are "
        "logits; --activation sigmoid (one logit a row), softmax (a logit a class), or none "
        "(scores as they are: regression, embeddings, probabilities)"
    )


def _check_logits(job: PackagingJob[AnyStep], outputs: Arrays) -> None:
    if len(outputs) != 1:
        raise JobError(
            f"activation {job.activation} needs one output, and the network gives {list(outputs)}; "
            "choose one of them in your forward, or say activation none"
        )
    (logits,) = outputs.values()
    classes = 2 if job.activation == "sigmoid" else logits.shape[-1]
    fits = logits.ndim == (1 if job.activation == "sigmoid" else 2)
    if not fits:
        raise JobError(
            f"activation {job.activation} does not fit an output of shape {logits.shape[1:]} a row"
        )
    if job.labels and len(job.labels) != classes:
        raise JobError(f"labels holds {len(job.labels)} names, and there are {classes} classes")
