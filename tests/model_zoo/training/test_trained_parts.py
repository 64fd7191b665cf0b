from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from configs.errors import JobError
from model_zoo.training.examples import Examples
from model_zoo.training.loop import train
from model_zoo.training.objective import Objective
from model_zoo.training.recipe import Recipe
from model_zoo.training.trained_parts import (
    list_trained,
    make_optimiser,
    set_training,
    trained_parts,
)


class Tuned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def rows() -> Examples:
    x = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    return Examples({"x": x}, (x[:, 0] > 0).astype(np.int64))


def fit(network: nn.Module, **changes: Any) -> None:
    recipe = Recipe(epochs=2, batch_rows=5, **changes)
    train(network, rows(), rows(), Objective("classification", "softmax"), recipe, lambda _: None)


def test_only_what_is_named_changes_and_running_means_stay() -> None:
    network = Tuned()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fit(network, train_only=("head.*",))
    changed = {n for n, t in network.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {"head.weight", "head.bias"}
    assert all(weight.requires_grad for weight in network.parameters())


def test_without_patterns_all_changes() -> None:
    network = Tuned()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fit(network)
    assert not any(torch.equal(t, before[n]) for n, t in network.state_dict().items())


def test_frozen_parts_compute_as_in_scoring() -> None:
    network = Tuned()
    with trained_parts(network, ("head.*",)):
        set_training(network)
        assert network.head.training
        assert not any(part.training for part in network.body if list(part.parameters()))
    with trained_parts(network, ("head.bias", "body.1.*")):
        set_training(network)
        assert [part.training for part in network.body] == [False, True, True]
        assert len(list_trained(network)) == 3


def test_what_the_author_froze_stays_frozen() -> None:
    network = Tuned()
    network.head.bias.requires_grad_(False)
    with trained_parts(network, ("head.*",)):
        assert len(list_trained(network)) == 1
    assert not network.head.bias.requires_grad
    assert network.head.weight.requires_grad


def test_patterns_of_no_weight_are_refused_all_at_once() -> None:
    network = Tuned()
    with (
        pytest.raises(
            JobError,
            match=r"names no weight of the network: 'haed\.\*'.*, 'tail'.*; there are 6, from body.0.weight to head.bias",
        ),
        trained_parts(network, ("haed.*", "head.*", "tail")),
    ):
        pass
    assert all(weight.requires_grad for weight in network.parameters())


def test_a_network_without_weights_cannot_be_trained() -> None:
    with pytest.raises(JobError, match="has no weight that can be trained"):
        fit(nn.Flatten())


@pytest.mark.parametrize(
    ("name", "kind", "momentum"),
    [
        ("adam", torch.optim.AdamW, None),
        ("adamw", torch.optim.AdamW, None),
        ("momentum", torch.optim.SGD, 0.75),
        # Plain SGD is the one without momentum, whatever a recipe says of it.
        ("sgd", torch.optim.SGD, 0.0),
    ],
)
def test_an_optimiser_is_torchs_with_what_the_recipe_says(
    name: Any, kind: type, momentum: float | None
) -> None:
    recipe = Recipe(optimiser=name, learning_rate=0.125, weight_decay=0.5, momentum=0.75)
    weights = list(Tuned().parameters())
    optimiser = make_optimiser(weights, recipe)
    assert type(optimiser) is kind
    (settings,) = optimiser.param_groups
    assert settings["params"] == weights
    assert (settings["lr"], settings["weight_decay"]) == (0.125, 0.5)
    assert settings.get("momentum") == momentum
