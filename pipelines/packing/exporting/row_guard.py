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
# No number of these is below 0, and none is NaN.
_NEVER_WRONG = (torch.bool, torch.uint8, torch.uint16, torch.uint32, torch.uint64)
# The first number of a row, and the last one.
_ENDS = (0, -1)


def find_guarded(call: Call, tensors: Tensors, names: Sequence[str]) -> frozenset[str]:
    """Return the inputs in which torch takes no NaN, or no negative number.

    Args:
        call: the network.
        tensors: an example of each input, (rows, ...), of two rows at least.
        names: of the inputs, in this order.
    """
    guarded = []
    for place, name in enumerate(names):
        if _is_guarded(call, tensors, place):
            guarded.append(name)
    return frozenset(guarded)


def mark_rows(
    outputs: Tensors,
    inputs: Mapping[str, torch.Tensor],
) -> list[torch.Tensor]:
    """Return outputs that are NaN in the rows whose guarded inputs torch does not take.

    Args:
        outputs: (rows, ...).
        inputs: those that are guarded, (rows, ...) by name.
    """
    wrong_of_each = list(map(_find_wrong_rows, inputs.values()))
    if not wrong_of_each:
        return list(outputs)
    is_bad, *others = wrong_of_each
    for is_wrong in others:
        is_bad = is_bad | is_wrong
    marked = []
    for output in outputs:
        # A whole number cannot be NaN.
        if output.is_floating_point():
            beyond = [1] * (output.ndim - 1)
            rows = is_bad.reshape(-1, *beyond)
            output = output.masked_fill(rows, torch.nan)
        marked.append(output)
    return marked


def _find_wrong_rows(tensor: torch.Tensor) -> torch.Tensor:
    """Return bool (rows,): which rows hold a number that torch does not take."""
    is_wrong = torch.isnan(tensor) if tensor.is_floating_point() else tensor < 0
    if is_wrong.ndim == 1:
        return is_wrong
    flat = is_wrong.flatten(1)
    return flat.any(1)


def _is_guarded(call: Call, tensors: Tensors, place: int) -> bool:
    """Tell whether torch refuses a row of the example with a wrong value at either end of it."""
    example = tensors[place]
    if example.dtype in _NEVER_WRONG or not example.numel():
        return False
    # Of padded lists only the longest have an end that is looked at.
    rows = range(len(example))
    return any(_is_row_refused(call, tensors, place, row) for row in rows)


def _is_row_refused(
    call: Call,
    tensors: Tensors,
    place: int,
    row: int,
) -> bool:
    return all(_is_refused(call, tensors, place, row, end) for end in _ENDS)


def _is_refused(
    call: Call,
    tensors: Tensors,
    place: int,
    row: int,
    end: int,
) -> bool:
    """Tell whether torch refuses a row with a wrong value at one end of it."""
    example = tensors[place]
    is_whole = not example.is_floating_point()
    rows = len(example)
    changed = example.clone()
    numbers = changed.view(rows, -1)
    numbers[row, end] = -1 if is_whole else torch.nan
    given = list(tensors)
    given[place] = changed
    try:
        with torch.inference_mode():
            outputs = call(*given)
    # A network that somebody else wrote may raise anything.
    except Exception:  # noqa: BLE001
        return is_whole
    if is_whole:
        return False
    fractions = [output[row] for output in outputs if output.is_floating_point()]
    # Where it gives no fraction at all, nothing says that the row has no score.
    if not fractions:
        return False
    are_nan = [bool(torch.isnan(output).all()) for output in fractions]
    return all(are_nan)
