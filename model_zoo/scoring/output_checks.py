"""Check that a network gives what its package declares."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from configs.errors import ModelError
from model_zoo.package.card import Tensor


def check_outputs(
    outputs: Any,
    declared: Mapping[str, Tensor],
    batch_rows: int,
) -> None:
    """Refuse what a network gave unless it has the declared names, shapes and types.

    Args:
        outputs: whatever the network returned for a mini-batch.
        declared: dtype, and shape without the rows, of each output.
        batch_rows: rows of the mini-batch.

    Raises:
        ModelError: something is not as declared. It is no matter of rows, so nothing is tried again.
    """
    _check_names(outputs, declared)
    for name, output in outputs.items():
        tensor = declared[name]
        _check_output(name, output, tensor, batch_rows)


def _check_names(outputs: Any, declared: Mapping[str, Tensor]) -> None:
    is_dict = isinstance(outputs, dict)
    if is_dict and outputs.keys() == declared.keys():
        return
    names: str | list[str] = type(outputs).__name__
    if is_dict:
        # A wrong name may be of any type, and types do not sort together.
        names = sorted(map(str, outputs))
    raise ModelError(
        f"the model gave {names}, but its package declares the outputs {sorted(declared)}"
    )


def _check_output(
    name: str,
    output: Any,
    declared: Tensor,
    batch_rows: int,
) -> None:
    if not isinstance(output, torch.Tensor):
        kind = type(output).__name__
        raise ModelError(f"the model's output {name} is a {kind} instead of a tensor")

    expected = (batch_rows, *declared.shape)
    shape = tuple(output.shape)
    if shape != expected:
        raise ModelError(f"the model's output {name} has shape {shape} instead of {expected}")

    wanted = getattr(torch, declared.dtype)
    if not _can_become(output.dtype, wanted):
        raise ModelError(
            f"the model's output {name} is {output.dtype}, which does not become {declared.dtype}"
        )


def _can_become(given: torch.dtype, declared: torch.dtype) -> bool:
    """Tell whether an output may be stored in the declared dtype."""
    is_whole = not given.is_floating_point and not given.is_complex
    # Floating point may be rounded, and torch's rule says that.
    if not is_whole or declared.is_floating_point:
        return torch.can_cast(given, declared)
    # torch's rule lets int64 become int32, where a large number would wrap around; numpy's does not.
    before = _name_in_numpy(given)
    after = _name_in_numpy(declared)
    return np.can_cast(before, after, casting="safe")


def _name_in_numpy(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
