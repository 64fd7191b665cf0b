"""Whatever a network returns becomes tensors by name."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from model_zoo.architectures.named_tensors import (
    NamedTensors,
    is_double,
    may_be_of_tokens,
    name_tensors,
)
from model_zoo.package.card import Tensor

ONE, TWO = torch.ones(3), torch.zeros(3, 2)


@dataclass
class Data:
    one: torch.Tensor
    loss: torch.Tensor | None
    two: torch.Tensor


class Pair(NamedTuple):
    one: torch.Tensor
    two: torch.Tensor


RETURNED = {
    "tensor": (ONE, {"output": ONE}),
    "tuple": ((ONE, TWO), {"output_0": ONE, "output_1": TWO}),
    "list": ([ONE, TWO], {"output_0": ONE, "output_1": TWO}),
    "named tuple": (Pair(ONE, TWO), {"one": ONE, "two": TWO}),
    "dict": ({"one": ONE, "two": TWO}, {"one": ONE, "two": TWO}),
    "ordered dict": (OrderedDict(one=ONE, loss=None), {"one": ONE}),
    "dataclass": (Data(ONE, None, TWO), {"one": ONE, "two": TWO}),
}


@pytest.mark.parametrize(("returned", "expected"), RETURNED.values(), ids=RETURNED)
def test_every_kind_has_names(returned: Any, expected: dict[str, torch.Tensor]) -> None:
    found = name_tensors(returned)
    assert list(found) == list(expected)
    assert all(found[name] is tensor for name, tensor in expected.items())


@pytest.mark.parametrize("returned", [None, 3, "text", {"one": 3}, [ONE, [TWO]], Data], ids=str)
def test_what_is_no_tensor_is_refused(returned: Any) -> None:
    with pytest.raises(ValueError, match="returns"):
        name_tensors(returned)


def test_what_has_no_names_gets_those_of_the_card() -> None:
    assert name_tensors((ONE, TWO), ["score", "vector"]) == {"score": ONE, "vector": TWO}
    assert name_tensors(ONE, ["score"]) == {"score": ONE}


def test_of_what_has_names_those_of_the_card_are_taken() -> None:
    assert name_tensors({"one": ONE, "two": TWO}, ["two"]) == {"two": TWO}
    # What else there is may be no tensor.
    assert name_tensors({"one": ONE, "state": (ONE, TWO)}, ["one"]) == {"one": ONE}
    with pytest.raises(ValueError, match="no 'three'"):
        name_tensors({"one": ONE}, ["three"])


class _Difference(nn.Module):
    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return (left - right)[:, None]


@pytest.mark.parametrize("call", ["keywords", "positions"])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_network_is_called_as_its_card_says(call: Any, shape: tuple[int, ...]) -> None:
    network = NamedTensors(_Difference(), ("left", "right"), call, {"d": Tensor(shape=shape)})
    # In another order than the network's.
    found = network(right=torch.ones(4), left=torch.full((4,), 3.0))
    assert found["d"].shape == (4, *shape)
    assert (found["d"] == 2).all()


class _OfTokens(nn.Module):
    """Gives what it gets of each token, in so many dimensions."""

    def __init__(self, beyond: tuple[int, ...]) -> None:
        super().__init__()
        self.beyond = beyond

    def forward(self, numbers: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        rows, tokens = numbers.shape
        ones = [1] * len(self.beyond)
        return numbers.reshape(rows, tokens, *ones).expand(rows, tokens, *self.beyond)


@pytest.mark.parametrize("beyond", [(2,), (2, 3)])
def test_tokens_are_filled_up_to_as_many_as_the_card_says(beyond: tuple[int, ...]) -> None:
    outputs = {"out": Tensor(shape=(5, *beyond))}
    network = NamedTensors(_OfTokens(beyond), ("numbers", "mask"), "keywords", outputs, "mask")
    numbers = torch.arange(1.0, 7.0).reshape(2, 3)
    found = network(numbers=numbers, mask=torch.tensor([[1, 1, 1], [1, 0, 0]]))["out"]
    expected = torch.zeros(2, 5, *beyond)
    for row, token in ((0, 0), (0, 1), (0, 2), (1, 0)):
        expected[row, token] = numbers[row, token]
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("shape", "is_of_each"), [((), False), ((3,), False), ((3, 2), True), ((3, 2, 4), True)]
)
def test_a_row_of_numbers_is_none_of_tokens(shape: tuple[int, ...], is_of_each: bool) -> None:
    assert may_be_of_tokens(shape) is is_of_each


def test_as_many_numbers_of_a_row_as_it_has_tokens_are_left_as_they_are() -> None:
    outputs = {"out": Tensor(shape=(3,))}
    network = NamedTensors(_OfTokens(()), ("numbers", "mask"), "keywords", outputs, "mask")
    numbers = torch.arange(1.0, 7.0).reshape(2, 3)
    # Nobody knows that they are of tokens, and padding is not cleared.
    found = network(numbers=numbers, mask=torch.tensor([[1, 1, 1], [1, 0, 0]]))["out"]
    assert torch.equal(found, numbers)


@pytest.mark.parametrize(
    ("dtypes", "double"),
    [
        (["float64"], True),
        (["float64", "float64"], True),
        (["float64", "int64"], True),
        (["float32"], False),
        (["float64", "float32"], False),
        (["float16"], False),
        # Nothing tells, and float32 is what networks compute in.
        (["int64"], False),
        ([], False),
    ],
)
def test_a_network_is_double_where_all_its_fractions_are(dtypes: list[str], double: bool) -> None:
    network = nn.Module()
    for number, name in enumerate(dtypes):
        weight = torch.zeros(2, dtype=getattr(torch, name))
        parameter = nn.Parameter(weight, requires_grad=False)
        network.register_parameter(f"w{number}", parameter)
    assert is_double(network) is double
