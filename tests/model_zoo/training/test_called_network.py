"""Networks as their authors call them: by name or in order, with outputs of every kind."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.training.called_network import CalledNetwork, forward

X = np.arange(12.0, dtype=np.float32).reshape(4, 3)
TENSORS = {"x": torch.from_numpy(X)}


class Pair(NamedTuple):
    logits: torch.Tensor
    aux_logits: torch.Tensor


class Returns(nn.Module):
    def __init__(self, make: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self._make = make

    def forward(self, x: torch.Tensor) -> Any:
        return self._make(x)


@pytest.mark.parametrize(
    ("make", "output"),
    [
        (lambda x: x * 2, None),
        (lambda x: (x * 2,), None),
        (lambda x: {"anything": x * 2}, None),
        (lambda x: {"hidden": x, "logits": x * 2}, None),
        (lambda x: {"logits": x * 2, "cache": "no tensor"}, None),
        (lambda x: Pair(x * 2, x), None),
        (lambda x: {"loss": None, "score": x * 2}, None),
        (lambda x: {"hidden": x, "score": x * 2}, "score"),
        (lambda x: {"logits": x, "score": x * 2}, "score"),
    ],
)
def test_the_output_that_is_learned(make: Callable[..., Any], output: str | None) -> None:
    called = CalledNetwork(Returns(make), ["x"], output)
    assert torch.equal(called.compute(TENSORS), TENSORS["x"] * 2)


@pytest.mark.parametrize(
    ("make", "output", "message"),
    [
        (
            lambda x: {"a": x, "b": x},
            None,
            r"gives \['a', 'b'\]; name the one that is to be learned",
        ),
        (lambda x: (x, x), None, r"gives \['output_0', 'output_1'\]; name the one"),
        (lambda x: {"a": x}, "b", r"gives \['a'\], and no 'b'; name the one"),
        (lambda x: {"a": "text"}, None, "a of what the network returns is a str, and no tensor"),
        (lambda x: 3, None, "returns a int, and no tensor"),
    ],
)
def test_outputs_of_which_none_is_known_to_be_learned(
    make: Callable[..., Any], output: str | None, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        CalledNetwork(Returns(make), ["x"], output).compute(TENSORS)


def test_inputs_go_by_name_or_else_in_order() -> None:
    class Named(nn.Module):
        def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
            return left - right

    values = {"right": torch.tensor([1.0]), "left": torch.tensor([5.0])}
    assert CalledNetwork(Named(), list(values), None).compute(values).item() == 4
    renamed = {"a": torch.tensor([1.0]), "b": torch.tensor([5.0])}
    assert CalledNetwork(Named(), list(renamed), None).compute(renamed).item() == -4


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("of\nseveral   lines"), r"of shape \{'x': \(3,\)\}: of several lines"),
        (SystemExit(3), r"does not take inputs of shape .*: SystemExit: 3"),
        (KeyError(), "does not take inputs of shape .*: KeyError"),
        (torch.OutOfMemoryError("CUDA"), "memory does not hold a mini-batch of 4 rows; lower"),
    ],
)
def test_a_network_that_fails_is_refused_in_one_line(error: BaseException, message: str) -> None:
    def fail(_: torch.Tensor) -> None:
        raise error

    with pytest.raises(ModelError, match=message) as refused:
        CalledNetwork(Returns(fail), ["x"], None).compute(TENSORS)
    assert "\n" not in str(refused.value)


def test_ctrl_c_is_no_failure_of_the_network() -> None:
    def press(_: torch.Tensor) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CalledNetwork(Returns(press), ["x"], None).compute(TENSORS)


def test_forward_gives_all_outputs_or_those_that_are_wanted() -> None:
    network = Returns(lambda x: {"a": x + 1, "b": x[:, 0]})
    network.train()
    found = forward(network, {"x": X})
    assert not network.training
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["a"], X + 1)
    assert list(forward(network, {"x": X}, ["b"])) == ["b"]
    with pytest.raises(ModelError, match="and no 'c'"):
        forward(network, {"x": X}, ["c"])


def test_forward_in_pieces_is_forward_at_once_and_of_no_rows_has_names_and_shapes() -> None:
    network = nn.Linear(3, 2)
    many = np.random.default_rng(0).standard_normal((1300, 3)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(many)).numpy()
    np.testing.assert_allclose(forward(network, {"x": many})["output"], expected, atol=1e-6)
    assert forward(network, {"x": many[:0]})["output"].shape == (0, 2)
