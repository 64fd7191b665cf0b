"""Recurrent networks against the arithmetic of their papers, step by step in numpy."""

from typing import Any

import numpy as np
import pytest
import torch

from configs.errors import ModelError
from model_zoo.architectures.builders import build

SIZES = {"features": 3, "hidden": 5, "out_features": 4}
Weights = dict[str, np.ndarray]


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def step_lstm(w: Weights, layer: int, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> Any:
    """Hochreiter and Schmidhuber, with the forget gate; torch's order is input, forget, cell, output."""
    gates = x @ w[f"weight_ih_l{layer}"].T + w[f"bias_ih_l{layer}"]
    gates += h @ w[f"weight_hh_l{layer}"].T + w[f"bias_hh_l{layer}"]
    into, forget, cell, out = np.split(gates, 4, axis=-1)
    c = sigmoid(forget) * c + sigmoid(into) * np.tanh(cell)
    return sigmoid(out) * np.tanh(c), c


def step_gru(w: Weights, layer: int, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> Any:
    """Cho et al., in torch's order: reset, update, new."""
    of_x = x @ w[f"weight_ih_l{layer}"].T + w[f"bias_ih_l{layer}"]
    of_h = h @ w[f"weight_hh_l{layer}"].T + w[f"bias_hh_l{layer}"]
    (rx, zx, nx), (rh, zh, nh) = np.split(of_x, 3, axis=-1), np.split(of_h, 3, axis=-1)
    reset, update = sigmoid(rx + rh), sigmoid(zx + zh)
    return (1 - update) * np.tanh(nx + reset * nh) + update * h, c


STEPS = {"gru": step_gru, "lstm": step_lstm}


def compute_row(kind: str, network: torch.nn.Module, layers: int, row: np.ndarray) -> np.ndarray:
    """Return the logits of one sequence without padding."""
    state = {n: t.numpy().astype(np.float64) for n, t in network.state_dict().items()}
    weights = {n.removeprefix("cells."): w for n, w in state.items() if n.startswith("cells.")}
    values = list(row.astype(np.float64))
    for layer in range(layers):
        h, c = np.zeros(SIZES["hidden"]), np.zeros(SIZES["hidden"])
        for step, value in enumerate(values):
            h, c = STEPS[kind](weights, layer, value, h, c)
            values[step] = h
    last = values[-1] if values else np.zeros(SIZES["hidden"])
    return last @ state["head.weight"].T + state["head.bias"]


def sequences(rows: int = 6, steps: int = 7) -> torch.Tensor:
    return torch.randn(rows, steps, 3, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", STEPS)
def test_a_sequence_is_computed_as_the_papers_say(kind: str, layers: int) -> None:
    network = build(kind, {**SIZES, "layers": layers}).eval()
    x = sequences()
    with torch.inference_mode():
        actual = network(x=x)
    assert list(actual) == ["logits"]
    for row, logits in zip(x.numpy(), actual["logits"].numpy(), strict=True):
        np.testing.assert_allclose(logits, compute_row(kind, network, layers, row), atol=1e-5)


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64])
def test_what_stands_behind_the_last_vector_has_no_part_in_it(
    kind: str, dtype: torch.dtype
) -> None:
    network = build(kind, {**SIZES, "layers": 2}).eval()
    x, lengths = sequences(), [7, 1, 3, 0, 6, 2]
    mask = torch.arange(7) < torch.tensor(lengths)[:, None]
    with torch.inference_mode():
        actual = network(x=x, mask=mask.to(dtype))["logits"]
        other_padding = torch.where(mask[:, :, None], x, torch.full_like(x, 9.0))
        again = network(x=other_padding, mask=mask.to(dtype))["logits"]
    for row, length, logits in zip(x.numpy(), lengths, actual.numpy(), strict=True):
        expected = compute_row(kind, network, 2, row[:length])
        np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert torch.equal(actual, again)


@pytest.mark.parametrize("kind", STEPS)
def test_a_row_in_its_place_has_the_same_bits_whichever_rows_are_beside_it(kind: str) -> None:
    """In mini-batches of one size, as scoring makes them."""
    network = build(kind, SIZES).eval()
    x = sequences(rows=16)
    lengths = torch.tensor([7, 1, 3, 5, 6, 2, 4, 7] * 2)
    others = torch.where(torch.arange(16)[:, None, None] % 2 == 0, x, x.flip(0))
    other_lengths = torch.where(torch.arange(16) % 2 == 0, lengths, lengths.flip(0))
    with torch.inference_mode():
        first, second = (
            network(x=rows, mask=torch.arange(7) < some[:, None])["logits"]
            for rows, some in ((x, lengths), (others, other_lengths))
        )
    assert torch.equal(first[::2], second[::2])
    assert not torch.equal(first[1::2], second[1::2])


@pytest.mark.parametrize("kind", STEPS)
def test_one_output_gives_one_logit_per_row(kind: str) -> None:
    network = build(kind, {**SIZES, "out_features": 1}).eval()
    for rows in (1, 3):
        assert tuple(network(x=sequences(rows))["logit"].shape) == (rows,)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", STEPS)
def test_dropout_only_acts_in_training_and_warns_of_nothing(kind: str, layers: int) -> None:
    network = build(kind, {**SIZES, "layers": layers, "dropout": 0.5})
    x = sequences()
    assert not torch.equal(network.train()(x=x)["logits"], network(x=x)["logits"])
    assert torch.equal(network.eval()(x=x)["logits"], network(x=x)["logits"])


@pytest.mark.parametrize("kind", STEPS)
def test_nothing_is_left_out_in_training_unless_it_is_asked_for(kind: str) -> None:
    network = build(kind, SIZES)
    x = sequences()
    assert torch.equal(network.train()(x=x)["logits"], network.eval()(x=x)["logits"])


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden": 0},
        {"hidden": -1},
        {"hidden": 2.5},
        {"layers": 0},
        {"dropout": 2},
        {"bidirectional": True},
        {"features": "3"},
    ],
)
@pytest.mark.parametrize("kind", STEPS)
def test_parameters_that_do_not_fit_are_refused(kind: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=f"builder {kind} does not take the parameters"):
        build(kind, {**SIZES, **changes})


def test_weights_have_these_names_and_shapes_for_ever() -> None:
    """Packages hold them by name."""
    network = build("lstm", SIZES)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert shapes == {
        "cells.weight_ih_l0": (20, 3),
        "cells.weight_hh_l0": (20, 5),
        "cells.bias_ih_l0": (20,),
        "cells.bias_hh_l0": (20,),
        "head.weight": (4, 5),
        "head.bias": (4,),
    }
    assert tuple(build("gru", SIZES).state_dict()["cells.weight_ih_l0"].shape) == (15, 3)


@pytest.mark.parametrize("has_mask", [True, False])
@pytest.mark.parametrize("kind", STEPS)
def test_it_can_be_read_off_a_call_with_stand_ins_as_int8_does(kind: str, has_mask: bool) -> None:
    network = build(kind, SIZES).eval()
    inputs = {"x": sequences()}
    if has_mask:
        inputs["mask"] = torch.arange(7) < torch.tensor([7, 1, 3, 5, 6, 2])[:, None]
    with torch.inference_mode():
        traced = torch.fx.symbolic_trace(network)
        assert torch.equal(traced(**inputs)["logits"], network(**inputs)["logits"])
