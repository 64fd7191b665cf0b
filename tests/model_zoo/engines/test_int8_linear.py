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
from model_zoo.engines.settings import LinearScale

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


class Layer(nn.Module):
    """One linear layer of 6 features and 4 outputs."""

    def __init__(self, weight: np.ndarray) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 4, bias=False)
        self.linear.weight = nn.Parameter(torch.from_numpy(weight))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.linear(x)}


def scale_of(x: np.ndarray, weight: np.ndarray, migration: float) -> LinearScale:
    """The paper's equation 4 and its asymmetric steps, by numpy."""
    sizes = np.abs(x).max(axis=0).clip(1e-5)
    weights = np.abs(weight).max(axis=0).clip(1e-5)
    factors = [float(f"{f:.3g}") for f in sizes**migration / weights ** (1 - migration)]
    return with_steps(x, tuple(factors))


def with_steps(x: np.ndarray, factors: tuple[float, ...]) -> LinearScale:
    smooth = x / np.array(factors, np.float32)
    low, high = min(0.0, float(smooth.min())), max(0.0, float(smooth.max()))
    step = (high - low) / 255
    return LinearScale("linear", step, round(-low / step), factors)


def error_of(x: np.ndarray, weight: np.ndarray, scale: LinearScale) -> float:
    """What 255 steps of the inputs and 127 of the weights on each side of zero leave of the outputs."""
    factors = np.array(scale.factors)
    integers = np.rint(x / factors / scale.scale) + scale.zero_point
    inputs = (integers.clip(0, 255) - scale.zero_point) * scale.scale
    smooth = weight * factors
    steps = np.abs(smooth).max(axis=1, keepdims=True) / 127
    weights = np.rint(smooth / steps) * steps
    return float(np.square(inputs @ weights.T - x.astype(np.float64) @ weight.T).sum())


def check_scale(found: LinearScale, x: np.ndarray, factors: tuple[float, ...]) -> None:
    # The third digit may be rounded otherwise.
    assert found.factors == pytest.approx(factors, rel=1e-2)
    steps = with_steps(x, found.factors)
    assert (found.scale, found.zero_point) == (pytest.approx(steps.scale), steps.zero_point)


# Each migration is by far the best for one of these: seed, and the size of one feature and of one weight.
BEST = {0.5: (13, 10, 1), 0.6: (9, 30, 10), 0.7: (55, 1, 10), 0.8: (46, 10, 1), 0.9: (9, 1, 1)}


@pytest.mark.parametrize("migration", BEST)
def test_of_five_migrations_the_one_that_changes_the_outputs_least_is_chosen(
    migration: float,
) -> None:
    seed, feature, weights = BEST[migration]
    random = np.random.default_rng(seed)
    x, weight = (random.normal(size=(n, 6)).astype(np.float32) for n in (16, 4))
    x[:, 0] *= feature
    weight[:, 1] *= weights
    expected = {m: scale_of(x, weight, m) for m in BEST}
    assert min(BEST, key=lambda m: error_of(x, weight, expected[m])) == migration
    (found,) = measure_linear_scales(Layer(weight), [{"x": torch.from_numpy(x)}])
    check_scale(found, x, expected[migration].factors)
    others = (scale.factors for m, scale in expected.items() if m != migration)
    assert found.factors not in others


@pytest.mark.parametrize(("sign", "zero_point"), [(1, 0), (-1, 255)])
def test_zero_has_an_integer_of_its_own_where_all_numbers_are_on_one_side_of_it(
    sign: int, zero_point: int
) -> None:
    random = np.random.default_rng(1)
    x, weight = (random.uniform(5, 9, (n, 6)).astype(np.float32) * sign for n in (16, 4))
    (found,) = measure_linear_scales(Layer(weight), [{"x": torch.from_numpy(x)}])
    check_scale(found, x, found.factors)
    assert found.zero_point == zero_point


def test_features_and_weights_of_zeros_have_factors_all_the_same() -> None:
    random = np.random.default_rng(1)
    x, weight = (random.normal(size=(n, 6)).astype(np.float32) for n in (16, 4))
    x[:, 2] = 0
    weight[:, 3] = 0
    (found,) = measure_linear_scales(Layer(weight), [{"x": torch.from_numpy(x)}])
    best = min((scale_of(x, weight, m) for m in BEST), key=lambda s: error_of(x, weight, s))
    check_scale(found, x, best.factors)
    nothing = torch.zeros(4, 6)
    (of_zeros,) = measure_linear_scales(Layer(weight), [{"x": nothing}])
    assert (of_zeros.scale, of_zeros.zero_point) == (1.0, 0)


def test_every_row_of_weights_uses_all_steps_on_one_side_of_zero() -> None:
    weight = np.random.default_rng(2).normal(size=(4, 6)).astype(np.float32)
    quantised = quantise_linear(Layer(weight), [LinearScale("linear", 0.1, 0, (1.0,) * 6)])
    packed = quantised.linear.packed  # type: ignore[union-attr]
    integers = torch.ops.quantized.linear_unpack(packed)[0].int_repr()  # type: ignore[operator]
    assert integers.abs().amax(1).tolist() == [127] * 4


def test_a_layer_is_as_sensitive_as_each_of_its_weights() -> None:
    """The small one changes the outputs less than the large one, and more for each of its weights."""

    class Sizes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.large = nn.Linear(64, 64)
            self.small = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"large": 1e-4 * self.large(x), "small": 1e-5 * self.small(x[:, :2])}

    torch.manual_seed(3)
    network, x = Sizes().eval(), {"x": torch.randn(32, 64)}
    scales = measure_linear_scales(network, [x])
    changes = {}
    for scale in scales:
        with torch.inference_mode():
            found, expected = (n(**x) for n in (quantise_linear(network, [scale]), network))
        changes[scale.place] = sum(
            float((found[name] - expected[name]).double().square().sum()) for name in expected
        )
    weights = {"large": 64 * 64, "small": 2 * 2}
    assert changes["small"] < changes["large"]
    by_weight = sorted(changes, key=lambda place: changes[place] / weights[place])
    assert [scale.place for scale in scales] == by_weight


def test_a_network_that_is_itself_a_linear_layer_has_none_to_quantise() -> None:
    with pytest.raises(ModelError, match="no linear layer"):
        measure_linear_scales(nn.Linear(FEATURES, 1), _one_batch())
