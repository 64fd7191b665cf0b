"""Linear layers in 8 bits: close to float32, row by row, the least sensitive first, and refused where scales do not belong."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.engines.int8_linear import measure_linear_scales, quantise_linear
from model_zoo.engines.machine import adds_bytes_without_overflow
from model_zoo.engines.nan_guard import NanGuard

pytestmark = pytest.mark.skipif(
    not adds_bytes_without_overflow(), reason="int8_linear needs a processor with VNNI or AMX"
)

FEATURES = 32


class Residual(nn.Module):
    """Two linear layers, of which `loud` decides the output and `quiet` adds a hundredth; `unused` is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.loud = nn.Linear(FEATURES, FEATURES)
        self.quiet = nn.Linear(FEATURES, FEATURES, bias=False)
        self.unused = nn.Linear(FEATURES, FEATURES)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.loud(x) + 0.01 * self.quiet(x)}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(5)
    return Residual().eval()


def rows(count: int, seed: int = 0) -> torch.Tensor:
    """The first feature is a hundred times as large as the others, as in a Transformer."""
    values = np.random.default_rng(seed).normal(size=(count, FEATURES)).astype(np.float32)
    values[:, 0] *= 100
    return torch.from_numpy(values)


def batches() -> Iterator[dict[str, torch.Tensor]]:
    yield from ({"x": rows(64, seed)} for seed in range(3))


@torch.inference_mode()
def outputs(network: nn.Module, x: torch.Tensor) -> np.ndarray:
    return network(x=x)["y"].numpy()  # type: ignore[no-any-return]


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def test_layers_that_are_called_come_the_least_sensitive_first(network: nn.Module) -> None:
    assert [scale.place for scale in measure_linear_scales(network, batches())] == ["quiet", "loud"]


def test_scores_are_close_and_the_same_bits_from_the_same_scales(network: nn.Module) -> None:
    scales, x = measure_linear_scales(network, batches()), rows(200, seed=9)
    expected = outputs(network, x)
    first, second = (outputs(quantise_linear(network, scales), x) for _ in range(2))
    assert first.tobytes() == second.tobytes() != expected.tobytes()
    assert relative_error(first, expected) < 0.01
    assert (
        outputs(network, x).tobytes() == expected.tobytes()
    )  # the network that was given stays as it was


def test_one_large_feature_does_not_use_up_the_steps_of_all(network: nn.Module) -> None:
    scales, x = measure_linear_scales(network, batches()), rows(200, seed=9)
    one = tuple(1.0 for _ in range(FEATURES))
    plain = [
        replace(s, scale=float(2 * x.abs().max() / 255), zero_point=128, factors=one)
        for s in scales
    ]
    x[:, 0] = 0  # what the other features say
    expected = outputs(network, x)
    smooth, rough = (
        relative_error(outputs(quantise_linear(network, s), x), expected) for s in (scales, plain)
    )
    assert smooth < 0.2 * rough


def test_a_row_has_the_same_score_whatever_its_neighbours_hold(network: nn.Module) -> None:
    quantised, x = (
        quantise_linear(network, measure_linear_scales(network, batches())),
        rows(64, seed=9),
    )
    alone = outputs(quantised, x)[:32]
    x[32:] = 1e30
    assert outputs(quantised, x)[:32].tobytes() == alone.tobytes()


def test_rows_that_float32_cannot_score_have_no_score_in_8_bits_either(network: nn.Module) -> None:
    x = rows(8)
    expected = outputs(network, x)
    x[2, 5], x[4, 0], x[6] = (
        torch.nan,
        torch.inf,
        3e38,
    )  # the sum of the last overflows, and it is finite all the same
    quantised = NanGuard(quantise_linear(network, measure_linear_scales(network, batches())))
    found = outputs(quantised, x)
    assert np.flatnonzero(~np.isfinite(found).all(axis=1)).tolist() == [2, 4]
    assert relative_error(found[[0, 1, 3, 5, 7]], expected[[0, 1, 3, 5, 7]]) < 0.05


def test_only_the_layers_with_scales_are_quantised(network: nn.Module) -> None:
    scales = measure_linear_scales(network, batches())
    some = quantise_linear(network, scales[:1])
    assert not isinstance(some.quiet, nn.Linear)
    assert isinstance(some.loud, nn.Linear)
    x = rows(100, seed=9)
    errors = [
        relative_error(outputs(quantise_linear(network, scales[:n]), x), outputs(network, x))
        for n in (0, 1, 2)
    ]
    assert 0 == errors[0] < errors[1] < errors[2]


def test_scales_of_another_network_and_what_has_no_linear_layer_are_refused(
    network: nn.Module,
) -> None:
    scales = measure_linear_scales(network, batches())
    for wrong in (replace(scales[0], place="elsewhere"), replace(scales[0], factors=(1.0,))):
        with pytest.raises(ModelError, match="belong to another network"):
            quantise_linear(network, [wrong])
    with pytest.raises(ModelError, match="no rows to measure"):
        measure_linear_scales(network, iter(()))
    with pytest.raises(ModelError, match="no linear layer"):
        measure_linear_scales(nn.Sequential(nn.Identity()), _one_batch())


def test_a_processor_without_the_instructions_is_refused(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_zoo.engines.int8_linear.adds_bytes_without_overflow", lambda: False)
    with pytest.raises(ModelError, match="needs a processor with VNNI or AMX"):
        measure_linear_scales(network, batches())
    with pytest.raises(ModelError, match="needs a processor with VNNI or AMX"):
        quantise_linear(network, ())


def _one_batch() -> Iterator[dict[str, torch.Tensor]]:
    yield {"input": rows(4)}
