"""What the author's model gave when it was called on rows of the sample, or why it fails on them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch

from configs.errors import ModelError, Refusal, RejectedRows, crashes_as_errors
from configs.user_code import describe_failure
from model_zoo.arrays import Arrays

# A library's error may quote whole tensors.
_SHOWN_CHARACTERS = 300


@contextmanager
def failures_told(what: str) -> Iterator[None]:
    """Raise a `ModelError` for whatever the author's own code raises in the block; Ctrl-C stays what it is.

    Args:
        what: is done there, in words.

    Raises:
        ModelError: it fails.
    """
    try:
        with crashes_as_errors():
            yield
    except (Refusal, RejectedRows):
        raise
    except Exception as error:
        reason = find_reason(error)
        raise ModelError(f"{what}: {reason}") from error


def find_reason(error: Exception) -> str:
    """Return an error's class and message as one line that is not too long."""
    # A refusal says what is wrong by itself.
    text = str(error) if isinstance(error, Refusal) else describe_failure(error)
    words = text.split()
    line = " ".join(words)
    return line[:_SHOWN_CHARACTERS]


def make_failure(model: str, inputs: Arrays, error: Exception) -> ModelError:
    """Return what is said of a model that cannot be called.

    Args:
        model: what it is, in words.
        inputs: that it was called with.
        error: that it raised.
    """
    shapes = {}
    for name, array in inputs.items():
        shape = list(array.shape)
        shapes[name] = f"{array.dtype}{shape}"
    reason = find_reason(error)
    return ModelError(f"{model} fails on {shapes}: {reason}")


def to_arrays(
    outputs: Mapping[str, torch.Tensor],
    rows: int,
    model: str,
    fix: str = "",
) -> Arrays:
    """Return a model's outputs as arrays (rows, ...).

    Args:
        outputs: as it gave them, by name.
        rows: how many it was called with.
        model: what it is, in words.
        fix: what else its author may do about an output of another form.

    Raises:
        ModelError: an output does not have so many rows, or is none that a table holds.
    """
    arrays = {}
    for name, tensor in outputs.items():
        what = f"{model}'s output {name}"
        is_one_number = tensor.ndim == 0
        if is_one_number or len(tensor) != rows:
            shape = tuple(tensor.shape)
            raise ModelError(
                f"{what} has shape {shape} for {rows} rows; "
                f"its first dimension must be the rows{fix}"
            )
        arrays[name] = _to_array(tensor, what)
    return arrays


def _to_array(tensor: torch.Tensor, what: str) -> np.ndarray:
    is_plain = tensor.layout is torch.strided and tensor.numel() > 0
    # numpy has no bfloat16, and tables have no complex numbers.
    is_foreign = tensor.dtype is torch.bfloat16 or tensor.is_complex()
    if is_foreign or not is_plain:
        shape = list(tensor.shape)
        raise ModelError(
            f"{what} is {tensor.dtype}{shape}, {tensor.layout}, which tables do not hold; "
            "let forward convert it, with .float() or .to_dense() for example, or leave it out of outputs"
        )
    array: np.ndarray = tensor.numpy()
    return array
