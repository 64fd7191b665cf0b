"""What makes probabilities of a network's numbers, by what is learned and how many numbers there are."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.package.card import Tensor
from model_zoo.training.examples import Examples
from pipelines.training.learning import _find_augment, _find_scale, find_activation


def prepared(*shapes: tuple[int, ...]) -> Any:
    """Return what is known of a network that gives an output of each shape."""
    outputs = {
        f"out{number}": Tensor(dtype="float32", shape=shape) for number, shape in enumerate(shapes)
    }
    return SimpleNamespace(outputs=outputs)


@pytest.mark.parametrize(
    ("task", "shape", "labels", "activation"),
    [
        ("classification", (), 2, "sigmoid"),
        ("classification", (2,), 2, "softmax"),
        ("classification", (5,), 5, "softmax"),
        ("multi_label", (5,), 5, "sigmoid"),
        ("multi_label", (2,), 2, "sigmoid"),
        ("multi_label", (1,), 1, "sigmoid"),
        ("regression", (), 1, "none"),
        ("regression", (3,), 3, "none"),
    ],
)
def test_the_task_and_the_numbers_of_a_row_tell_the_activation(
    task: Any, shape: tuple[int, ...], labels: int, activation: str
) -> None:
    assert find_activation(task, prepared(shape), labels) == activation


@pytest.mark.parametrize(
    ("task", "shape", "labels"),
    [
        # One number tells two classes apart, and no more.
        ("classification", (), 3),
        ("classification", (3,), 2),
        ("classification", (2,), 3),
        ("classification", (1,), 2),
        ("multi_label", (), 1),
        ("multi_label", (2,), 3),
        ("regression", (1,), 1),
        ("regression", (), 2),
        ("regression", (2, 1), 2),
    ],
)
def test_a_network_of_another_number_of_numbers_is_refused(
    task: Any, shape: tuple[int, ...], labels: int
) -> None:
    with pytest.raises(ModelError, match=f"does not suit the loss of {labels} labels"):
        find_activation(task, prepared(shape), labels)


@pytest.mark.parametrize("shapes", [(), ((), ())])
def test_one_output_is_learned(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ModelError, match="one output is learned"):
        find_activation("classification", prepared(*shapes), 2)


def test_rows_are_changed_only_where_the_job_says_how() -> None:
    without: Any = SimpleNamespace(training=SimpleNamespace(augment=None))
    # Nothing of the network is looked at.
    nothing: Any = None
    assert _find_augment(without, nothing) is None


class Line(nn.Module):
    """A layer that gives the numbers, and what is done to them behind it, if anything."""

    def __init__(self, bend: bool) -> None:
        super().__init__()
        self.last = nn.Linear(2, 1)
        self.bend = bend

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        made = self.last(x)[:, 0]
        return {"y": made.exp() if self.bend else made}


@pytest.mark.parametrize(("bend", "layer"), [(False, "last"), (True, None)])
def test_numbers_are_scaled_back_in_the_last_layer_where_nothing_is_behind_it(
    bend: bool, layer: str | None
) -> None:
    network = Line(bend).eval()
    examples = Examples({"x": np.ones((8, 2), np.float32)}, np.arange(8.0))
    network_as_trained: Any = SimpleNamespace(network=network, called=network)
    found = _find_scale(network_as_trained, examples)
    assert (found and found.layer) == layer
    if found is not None:
        assert found.scale.mean.tolist() == [3.5]
