"""Whether scores hang on how long the padding is, which nobody may have meant.

Scoring pads every row to the same length, whichever rows are beside it, so that scores do not depend
on neighbours. But a network that takes no mask, or makes little of it, gives other scores than in a
training where lists were padded to the longest of a batch.
"""

from collections.abc import Sequence

import numpy as np
from torch import nn

from configs.errors import ModelError
from model_zoo.architectures.named_tensors import Call
from model_zoo.arrays import Arrays
from model_zoo.steps.pad import Pad
from model_zoo.steps.table import AnyStep
from pipelines.packing.contract.prepared import Prepared
from pipelines.packing.networks.calling import compute
from pipelines.packing.proof.differences import find_difference

# Enough to see it, and soon done.
_ROWS = 64
_MORE_ITEMS = 3
# Sums of other lengths round otherwise.
_TOLERANCE = 1e-4


def describe_padding(
    network: nn.Module,
    prepared: Prepared,
    call: Call,
    outputs: Sequence[str],
    given: Arrays,
) -> tuple[str, ...]:
    """Return a note where scores change with the length of the padding; none where they do not.

    Args:
        network: the author's.
        prepared: the sample as the network takes it.
        call: how the network is called.
        outputs: the names that are wanted, as for `name_tensors`.
        given: what the network gives for the sample.
    """
    padded = _list_padded(prepared.steps)
    if not padded:
        return ()
    longer = {}
    for name, array in prepared.inputs.items():
        some = array[:_ROWS]
        tensor = prepared.tensors[name]
        column = tensor.column or name
        is_padded = column in padded
        longer[name] = _lengthen(some) if is_padded else some
    try:
        found = compute(network, longer, call, outputs)
    # It is made for lists of one length.
    except ModelError:
        return ()
    difference = 0.0
    for name, array in found.items():
        rows = len(array)
        some = given[name][:_ROWS]
        before = some.reshape(rows, -1)
        after = array.reshape(rows, -1)
        # Something for each item, of which there are more now.
        if before.shape != after.shape:
            continue
        found_here = find_difference(after, before)
        difference = max(difference, found_here)
    if difference <= _TOLERANCE:
        return ()
    return (
        f"scores change by up to {difference:.2g} when lists are padded with "
        f"{_MORE_ITEMS} more zeros: scoring always pads to the same length, and was it so in "
        "training? A network that leaves padding out by the mask does not depend on it",
    )


def _list_padded(steps: Sequence[AnyStep]) -> set[str]:
    padded: set[str] = set()
    for step in steps:
        if isinstance(step, Pad) and step.shorter == "pad":
            padded.add(step.into)
            if step.mask_into is not None:
                padded.add(step.mask_into)
    return padded


def _lengthen(array: np.ndarray) -> np.ndarray:
    """Return lists with more padding behind, (rows, items, ...)."""
    places = [(0, 0)] * array.ndim
    places[1] = (0, _MORE_ITEMS)
    return np.pad(array, places)
