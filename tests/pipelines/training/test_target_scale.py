"""A regression is learned at mean 0 and deviation 1, and given back in the label's own units."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
import torch
from torch import nn

from model_zoo.architectures.builders import build
from model_zoo.arrays import Arrays
from pipelines.training.target_scale import TargetScale, find_last_layer, rescale

X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
WIDE = np.random.default_rng(1).normal(size=(50, 2)) * [3, 500] + [7, -40]


class Ratio(nn.Module):
    """Its last layer is not what it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x).exp()


class Hidden(nn.Module):
    """Its last layer is not the one that was made last."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)
        self.body = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).tanh())


def compute(network: nn.Module) -> Arrays:
    with torch.inference_mode():
        given = network(x=torch.from_numpy(X))
    named = given if isinstance(given, dict) else {"y": given}
    return {name: tensor.numpy() for name, tensor in named.items()}


def test_the_scale_is_that_of_scikit_learn() -> None:
    expected = StandardScaler().fit(WIDE)
    scale = TargetScale.of(WIDE)
    np.testing.assert_allclose(scale.mean, expected.mean_)
    np.testing.assert_allclose(scale.scale, expected.scale_)
    np.testing.assert_allclose(
        scale.standardise(WIDE), expected.transform(WIDE), rtol=1e-5, atol=1e-6
    )
    assert scale.standardise(WIDE).dtype == np.float32
    one = TargetScale.of(WIDE[:, 0])
    assert one.standardise(WIDE[:, 0]).shape == (50,)
    assert TargetScale.of(np.ones(5)).scale.tolist() == [1.0]


@pytest.mark.parametrize("numbers", [1, 2])
def test_the_last_layer_gives_numbers_in_their_own_units(numbers: int) -> None:
    network = build("mlp", {"in_features": 3, "hidden": [4], "out_features": numbers}).eval()
    before = next(iter(compute(network).values())).reshape(50, -1)
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    layer = find_last_layer(network, numbers, lambda: compute(network))
    assert layer == "layers.2"
    # Trying it out leaves nothing behind.
    assert all(torch.equal(network.state_dict()[name], weights[name]) for name in weights)
    scale = TargetScale.of(WIDE[:, :numbers])
    rescale(network, layer, scale)
    after = next(iter(compute(network).values())).reshape(50, -1)
    np.testing.assert_allclose(after, before * scale.scale + scale.mean, rtol=1e-4, atol=1e-3)
    rescale(network, layer, scale.invert())
    back = next(iter(compute(network).values())).reshape(50, -1)
    np.testing.assert_allclose(back, before, rtol=1e-3, atol=1e-5)


def test_the_layer_is_found_by_trying_and_not_by_its_place() -> None:
    network = Hidden().eval()
    assert find_last_layer(network, 3, lambda: compute(network)) == "head"


def test_a_network_without_such_a_layer_is_left_as_it_is() -> None:
    network = Ratio().eval()
    assert find_last_layer(network, 1, lambda: compute(network)) is None
