"""Rows that torch gives no score, marked in an exported graph, as engines do not see all of them.

Recurrent layers of ONNX Runtime make a number of NaN, and a table takes a negative index from its
end, where torch gives NaN and raises an error: such a row would be given a score. What torch itself
does is tried out on an example; where it takes a value, a missing one for example, so does the graph.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch

Tensors: TypeAlias = Sequence[torch.Tensor]
# Takes tensors in one order, and gives outputs in theirs.
Call: TypeAlias = Callable[..., Tensors]


def find_guarded(call: Call, tensors: Tensors, names: Sequence[str]) -> frozenset[str]:
    """Return the inputs in which torch takes no NaN, or no negative number.

    Args:
        call: the network.
        tensors: an example of each input, (rows, ...), of two rows at least.
        names: of the inputs, in this order.
    """
    guarded = []
    for place, name in enumerate(names):
        rows = range(len(tensors[place]))
        # Of padded lists only the longest have an end that is looked at.
        if any(_is_row_refused(call, tensors, place, row) for row in rows):
            guarded.append(name)
    return frozenset(guarded)


def mark_rows(outputs: Tensors, inputs: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    """Return outputs that are NaN in the rows whose guarded inputs torch does not take.

    Args:
        outputs: (rows, ...).
        inputs: those that are guarded, (rows, ...) by name.
    """
    is_bad = None
    for tensor in inputs.values():
        wrong = torch.isnan(tensor) if tensor.is_floating_point() else tensor < 0
        of_rows = wrong if wrong.ndim == 1 else wrong.flatten(1).any(1)
        is_bad = of_rows if is_bad is None else is_bad | of_rows
    marked = []
    for output in outputs:
        # A whole number cannot be NaN.
        if is_bad is not None and output.is_floating_point():
            beyond = [1] * (output.ndim - 1)
            rows = is_bad.reshape(-1, *beyond)
            output = output.masked_fill(rows, torch.nan)
        marked.append(output)
    return marked


def _is_row_refused(call: Call, tensors: Tensors, place: int, row: int) -> bool:
    """Tell whether torch refuses a row with a wrong value at either end of it."""
    return all(_is_refused(call, tensors, place, row, end) for end in (0, -1))


def _is_refused(call: Call, tensors: Tensors, place: int, row: int, end: int) -> bool:
    """Tell whether torch refuses a row with a wrong value at one end of it."""
    example = tensors[place]
    is_whole = not example.is_floating_point()
    if example.dtype in (torch.bool, torch.uint8, torch.uint16, torch.uint32, torch.uint64):
        return False
    changed = list(tensors)
    changed[place] = example.clone()
    numbers = changed[place].view(len(example), -1)
    if not numbers.numel():
        return False
    numbers[row, end] = -1 if is_whole else torch.nan
    try:
        with torch.inference_mode():
            outputs = call(*changed)
    # A network that somebody else wrote may raise anything.
    except Exception:  # noqa: BLE001
        return is_whole
    if is_whole:
        return False
    fractions = [output[row] for output in outputs if output.is_floating_point()]
    return bool(fractions) and all(bool(torch.isnan(output).all()) for output in fractions)
