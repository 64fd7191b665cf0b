"""What an exporter is given of a network: an example, and which sizes are free, without the seconds that exporting takes."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from model_zoo.arrays import Arrays
from model_zoo.package.card import Tensor
from pipelines.packing.exporting import network_graph
from pipelines.packing.exporting.network_graph import export_network


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the exporter was given: shapes, free axes, names of inputs and of outputs."""
    found: list[Any] = []

    def write(
        scored: Any, tensors: Sequence[torch.Tensor], axes: Any, names: Any, outputs: Any
    ) -> str:
        free = [sorted(axis) for axis in axes]
        found.extend([[tuple(tensor.shape) for tensor in tensors], free, names, outputs])
        return "graph"

    monkeypatch.setattr(network_graph, "write_graph", write)
    monkeypatch.setattr(network_graph, "find_guarded", lambda *_: frozenset())
    return found


def card_with(mask: str | None, /, **shapes: tuple[int, ...]) -> Any:
    inputs = {name: Tensor(shape=shape) for name, shape in shapes.items()}
    return SimpleNamespace(
        inputs=inputs, outputs={"y": None}, mask=mask, builder="mlp", graph=None, call="keywords"
    )


def rows_of(card: Any) -> Arrays:
    return {name: np.ones((64, *tensor.shape), np.float32) for name, tensor in card.inputs.items()}


def test_of_texts_rows_and_tokens_are_free_and_an_example_has_fewer_tokens(
    given: list[Any],
) -> None:
    card = card_with("mask", mask=(8,), words=(8,), other=(5,), number=())
    assert export_network(nn.Identity(), card, rows_of(card)) == "graph"
    shapes, free, names, outputs = given
    rows = shapes[0][0]
    assert shapes == [(rows, 7), (rows, 7), (rows, 5), (rows,)]
    assert free == [[0, 1], [0, 1], [0], [0]]
    assert (names, outputs) == (["mask", "words", "other", "number"], ["y"])


@pytest.mark.parametrize("tokens", [1, 2])
def test_of_so_few_tokens_none_is_free(tokens: int, given: list[Any]) -> None:
    card = card_with("mask", mask=(tokens,))
    export_network(nn.Identity(), card, rows_of(card))
    assert (given[0][0][1], given[1]) == (tokens, [[0]])


@pytest.mark.parametrize(("tokens", "chosen"), [(3, 2), (4, 3), (5, 3), (6, 5), (64, 63), (65, 63)])
def test_an_example_has_an_odd_number_of_tokens_or_two(
    tokens: int, chosen: int, given: list[Any]
) -> None:
    card = card_with("mask", mask=(tokens,))
    export_network(nn.Identity(), card, rows_of(card))
    assert given[0][0][1] == chosen


def test_of_anything_else_rows_alone_are_free(given: list[Any]) -> None:
    card = card_with(None, x=(8, 3))
    export_network(nn.Identity(), card, rows_of(card))
    assert (given[0][0][1:], given[1]) == ((8, 3), [[0]])
