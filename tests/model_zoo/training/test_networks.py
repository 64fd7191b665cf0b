"""Networks of every kind are trained by the same loop: libraries' and users' own."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from model_zoo.architectures.builders import build
from model_zoo.training.called_network import forward
from model_zoo.training.epoch import Epoch
from model_zoo.training.examples import Examples
from model_zoo.training.loop import train
from model_zoo.training.objective import Activation, Objective, Task
from model_zoo.training.recipe import Recipe
from model_zoo.training.repeatable import repeatable

RANDOM = np.random.default_rng(0)
CLASSES = RANDOM.integers(0, 2, 48)


def fit(
    network: nn.Module,
    examples: Examples,
    task: Task = "classification",
    activation: Activation = "softmax",
    **changes: Any,
) -> tuple[Epoch, ...]:
    how: dict[str, Any] = {"learning_rate": 0.01, "batch_rows": 8, "epochs": 4, **changes}
    with repeatable(0):
        epochs = train(
            network, examples, examples, Objective(task, activation), Recipe(**how), lambda _: None
        )
    assert epochs[-1].training_loss < epochs[0].training_loss
    return epochs


def pictures() -> Examples:
    brighter = RANDOM.random((48, 3, 32, 32)) + CLASSES[:, None, None, None]
    return Examples({"pixel_values": brighter.astype(np.float32)}, CLASSES)


@pytest.mark.slow
def test_torchvision() -> None:
    pytest.importorskip("torchvision")
    with repeatable(0):
        network = build("torchvision:squeezenet1_1", {"num_classes": 2})
    examples = pictures()
    fit(network, Examples({"x": examples.inputs["pixel_values"]}, CLASSES), learning_rate=1e-3)


def test_timm() -> None:
    pytest.importorskip("timm")
    with repeatable(0):
        network = build(
            "timm:resnet10t", {"num_classes": 2, "stem_width": 8, "channels": (8, 8, 8, 8)}
        )
    examples = pictures()
    fit(network, Examples({"x": examples.inputs["pixel_values"]}, CLASSES), learning_rate=1e-3)


def test_transformers_learn_their_logits() -> None:
    pytest.importorskip("transformers")
    sizes = {
        "vocab_size": 20,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
    with repeatable(0):
        network = build("transformers:BertForSequenceClassification", sizes)
    tokens = RANDOM.integers(2, 10, (48, 6)) + 8 * CLASSES[:, None]
    inputs = {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
    fit(network, Examples(inputs, CLASSES), epochs=6, train_only=("bert.encoder.*", "classifier.*"))


def test_a_network_in_float64() -> None:
    network = nn.Linear(3, 2).double()
    x = RANDOM.standard_normal((48, 3))
    numbers = (x @ [[1, 0], [0, 1], [1, 1]]).astype(np.float32)
    fit(network, Examples({"x": x}, numbers), "regression", "none")
    assert forward(network, {"x": x})["output"].dtype == np.float64


def test_layers_that_take_their_shape_from_the_first_rows() -> None:
    x = RANDOM.standard_normal((48, 5)).astype(np.float32)
    network = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2))
    fit(network, Examples({"x": x}, (x[:, 0] > 0).astype(np.int64)))
    assert network[0].weight.shape == (4, 5)


def test_a_network_that_keeps_what_it_computed_for_its_next_call() -> None:
    class Caching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.places = nn.Linear(1, 3)
            self.last = nn.Linear(3, 2)
            self._kept: torch.Tensor | None = None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self._kept is None:
                self._kept = torch.arange(3.0)
            return self.last(x * self._kept)

    x = RANDOM.standard_normal((48, 3)).astype(np.float32)
    fit(Caching(), Examples({"x": x}, (x[:, 2] > 0).astype(np.int64)))


def test_label_sets() -> None:
    x = RANDOM.standard_normal((48, 3)).astype(np.float32)
    fit(nn.Linear(3, 3), Examples({"x": x}, (x > 0).astype(np.float32)), "multi_label", "sigmoid")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_16_bits_learn_as_well(precision: str) -> None:
    x = RANDOM.standard_normal((48, 3)).astype(np.float32)
    with repeatable(0):
        network = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
    seen = set()
    network[0].register_forward_hook(
        lambda _, __, output: seen.add((network.training, output.dtype))
    )
    fit(network, Examples({"x": x}, x[:, 0].copy()), "regression", "none", precision=precision)
    computed = torch.bfloat16 if precision == "bfloat16" else torch.float32
    # Validation computes as scoring does.
    assert seen == {(True, computed), (False, torch.float32)}
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}
