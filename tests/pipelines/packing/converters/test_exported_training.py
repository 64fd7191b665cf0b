"""Which operators of an exported program are those of a network in training, by torch's own schemas."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pipelines.packing.converters.exported_training import _is_training

ATEN = torch.ops.aten


def is_training(target: Any, *args: Any, **kwargs: Any) -> bool:
    node = SimpleNamespace(op="call_function", target=target, args=args, kwargs=kwargs)
    return _is_training(node)


@pytest.mark.parametrize(
    ("chance", "train", "trains"),
    [
        (0.5, True, True),
        (0.5, False, False),
        (0.0, True, False),
        (1.0, True, True),
        (0, True, False),
    ],
)
def test_dropout_draws_numbers_in_training_unless_it_drops_none(
    chance: float, train: bool, trains: bool
) -> None:
    assert is_training(ATEN.dropout.default, "x", chance, train) is trains
    assert is_training(ATEN.dropout.default, "x", p=chance, train=train) is trains


@pytest.mark.parametrize("training", [True, False])
def test_batch_normalisation_looks_at_the_rows_beside_in_training(training: bool) -> None:
    given = ("x", None, None, None, None, training, 0.1, 1e-5, False)
    assert is_training(ATEN.batch_norm.default, *given) is training


@pytest.mark.parametrize(
    ("dropout", "train", "trains"), [(0.0, True, False), (0.3, True, True), (0.3, False, False)]
)
def test_an_lstm_in_training_drops_only_what_it_is_told_to(
    dropout: float, train: bool, trains: bool
) -> None:
    given = ("x", [], [], True, 1, dropout, train, False, True)
    assert is_training(ATEN.lstm.input, *given) is trains


def test_other_operators_have_no_training() -> None:
    assert not is_training(ATEN.relu.default, "x")
    # What is no operator of torch says nothing.
    assert not _is_training(SimpleNamespace(op="placeholder", target="x", args=(), kwargs={}))
