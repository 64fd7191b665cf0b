"""Whether it is told that scores hang on the length of the padding."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

from model_zoo.architectures.named_tensors import call_network
from model_zoo.package.card import Tensor
from model_zoo.steps.pad import Pad
from pipelines.packing.contract.prepared import Prepared
from pipelines.packing.networks.padding_check import describe_padding

LISTS = pa.array([[1.0, 2.0], [3.0], [4.0, 5.0, 6.0]])
PAD = Pad(step="pad", column="x", shape=(4,), into="x", mask_into="x_mask")


class Mean(nn.Module):
    """The mean of all places, padding too."""

    def forward(self, x: torch.Tensor, x_mask: torch.Tensor) -> torch.Tensor:
        return x.mean(1)


class MaskedMean(nn.Module):
    def forward(self, x: torch.Tensor, x_mask: torch.Tensor) -> torch.Tensor:
        return (x * x_mask).sum(1) / x_mask.sum(1)


class OfFour(nn.Module):
    """Takes lists of one length and no others."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor, x_mask: torch.Tensor) -> torch.Tensor:
        return self.last(x)


class Items(nn.Module):
    """Something for each place, of which there are more then."""

    def forward(self, x: torch.Tensor, x_mask: torch.Tensor) -> torch.Tensor:
        return x + 1


def describe(network: nn.Module, **changes: Any) -> tuple[str, ...]:
    step = PAD.model_copy(update=changes)
    made = step.apply({"x": LISTS}, 3)
    inputs = {"x": made["x"].astype(np.float32), "x_mask": made["x_mask"].astype(np.float32)}
    tensors = {name: Tensor(shape=(4,)) for name in inputs}
    with torch.inference_mode():
        held = {name: torch.from_numpy(array) for name, array in inputs.items()}
        output = call_network(network, held, list(held), "keywords")
    prepared = Prepared((step,), tensors, inputs, pa.table({"x": LISTS}))
    return describe_padding(network, prepared, "keywords", (), {"output": output.numpy()})


def test_a_mean_over_padding_changes_with_its_length() -> None:
    (note,) = describe(Mean())
    # Means over 4 places, and over 7, beside the largest.
    sums = np.array([3.0, 3.0, 15.0])
    difference = np.abs(sums / 4 - sums / 7).max() / (sums / 4).max()
    assert note.startswith(f"scores change by up to {difference:.2g} when lists are padded with 3 ")


@pytest.mark.parametrize("network", [MaskedMean, OfFour, Items])
def test_what_does_not_hang_on_the_padding_is_not_told(network: type[nn.Module]) -> None:
    assert describe(network()) == ()


def test_lists_that_are_never_padded_are_not_lengthened() -> None:
    full = Pad(step="pad", column="x", shape=(3,), into="x", shorter="reject")
    lists = pa.array([[1.0, 2.0, 3.0]])
    inputs = {"x": full.apply({"x": lists}, 1)["x"].astype(np.float32)}
    prepared = Prepared((full,), {"x": Tensor(shape=(3,))}, inputs, pa.table({"x": lists}))
    given = {"output": np.array([2.0], np.float32)}
    assert describe_padding(Mean(), prepared, "keywords", (), given) == ()
