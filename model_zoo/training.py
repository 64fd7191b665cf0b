"""The training loop: a network and two sets of examples in, the weights of the best epoch out. Knows no Beam.

The same seed gives the same bits: one thread, deterministic algorithms, and generators of its own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import copy
from dataclasses import dataclass
import math
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.architectures import build

Activation = Literal["sigmoid", "softmax"]
Arrays = dict[str, np.ndarray]
# Enough rows to keep a core busy, few enough that a picture network's intermediate values stay in the cache.
_FORWARD_ROWS = 512


@dataclass(frozen=True)
class Examples:
    """Network inputs (rows, ...) by name, and class numbers, int64 (rows,)."""

    inputs: Arrays
    classes: np.ndarray

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        optimiser: plain SGD, SGD with momentum, or Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
        patience: epochs without a lower validation loss after which training stops.
        seed: of weights, order of rows, and dropout.
    """

    optimiser: Literal["sgd", "momentum", "adam"]
    learning_rate: float
    batch_rows: int
    epochs: int
    patience: int
    seed: int
    momentum: float = 0.9
    weight_decay: float = 0.0


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows, counted from 1; mean losses per row; `best`: no earlier validation loss was as low."""

    number: int
    training_loss: float
    validation_loss: float
    best: bool


def train(
    builder: str,
    parameters: dict[str, Any],
    training: Examples,
    validation: Examples,
    activation: Activation,
    recipe: Recipe,
    on_epoch: Callable[[Epoch], None],
) -> tuple[nn.Module, tuple[Epoch, ...]]:
    """Build a network and fit it; it comes back in eval mode with the weights of the epoch of lowest validation loss.

    Args:
        on_epoch: called after each epoch, for progress.

    Raises:
        ModelError: the architecture does not fit the examples, or the loss is not finite.
    """
    with _repeatable(recipe.seed):
        network = build(builder, parameters)
        return network, tuple(_epochs(network, training, validation, activation, recipe, on_epoch))


def forward(network: nn.Module, inputs: Arrays) -> Arrays:
    """Raw outputs float32 (rows, ...) by name, in eval mode."""
    network.eval()
    rows = len(next(iter(inputs.values())))
    pieces: list[Arrays] = []
    with torch.inference_mode():
        for start in range(0, max(rows, 1), _FORWARD_ROWS):
            outputs = network(**_tensors(inputs, slice(start, start + _FORWARD_ROWS)))
            pieces.append({name: tensor.numpy() for name, tensor in outputs.items()})
    return {name: np.concatenate([p[name] for p in pieces]) for name in pieces[0]}


def _epochs(
    network: nn.Module,
    training: Examples,
    validation: Examples,
    activation: Activation,
    recipe: Recipe,
    on_epoch: Callable[[Epoch], None],
) -> Iterator[Epoch]:
    loss, optimiser = _loss(activation), _optimiser(network, recipe)
    order = torch.Generator().manual_seed(recipe.seed)
    best, best_weights, waited = math.inf, copy.deepcopy(network.state_dict()), 0
    for number in range(1, recipe.epochs + 1):
        training_loss = _train_epoch(network, training, loss, optimiser, recipe.batch_rows, order)
        validation_loss = _mean_loss(network, validation, loss)
        _refuse_infinite(number, training_loss, validation_loss)
        epoch = Epoch(number, training_loss, validation_loss, validation_loss < best)
        on_epoch(epoch)
        yield epoch
        waited = 0 if epoch.best else waited + 1
        if epoch.best:
            best, best_weights = validation_loss, copy.deepcopy(network.state_dict())
        if waited >= recipe.patience:
            break
    network.load_state_dict(best_weights)
    network.eval()


def _train_epoch(
    network: nn.Module,
    training: Examples,
    loss: nn.Module,
    optimiser: torch.optim.Optimizer,
    batch_rows: int,
    order: torch.Generator,
) -> float:
    network.train()
    total = 0.0
    for rows in _mini_batches(len(training), batch_rows, order):
        optimiser.zero_grad()
        value = _loss_of(network, training, loss, rows)
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += value.item() * len(rows)
    return total / len(training)


def _mini_batches(rows: int, batch_rows: int, order: torch.Generator) -> Iterator[np.ndarray]:
    """Row numbers, shuffled; a last batch of one row joins the one before it: batch normalisation cannot train on one row."""
    shuffled = torch.randperm(rows, generator=order).numpy()
    starts = list(range(0, rows, batch_rows))
    if len(starts) > 1 and rows - starts[-1] == 1:
        starts.pop()
    yield from np.split(shuffled, starts[1:])


def _mean_loss(network: nn.Module, examples: Examples, loss: nn.Module) -> float:
    network.eval()
    with torch.inference_mode():
        return float(_loss_of(network, examples, loss, np.arange(len(examples))))


def _loss_of(network: nn.Module, examples: Examples, loss: nn.Module, rows: np.ndarray) -> torch.Tensor:
    try:
        outputs = network(**_tensors(examples.inputs, rows))
        (logits,) = outputs.values()
        targets = torch.from_numpy(examples.classes[rows])
        value: torch.Tensor = loss(logits, targets.to(logits.dtype) if logits.ndim == 1 else targets)
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        shapes = {name: array.shape[1:] for name, array in examples.inputs.items()}
        raise ModelError(
            f"the network does not take inputs of shape {shapes} or its output does not suit the loss: {error}"
        ) from error
    return value


def _tensors(inputs: Arrays, rows: np.ndarray | slice) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(array[rows])) for name, array in inputs.items()}


def _loss(activation: Activation) -> nn.Module:
    return nn.BCEWithLogitsLoss() if activation == "sigmoid" else nn.CrossEntropyLoss()


def _optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    if recipe.optimiser == "adam":
        return torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    momentum = recipe.momentum if recipe.optimiser == "momentum" else 0.0
    return torch.optim.SGD(network.parameters(), lr=recipe.learning_rate, momentum=momentum, weight_decay=recipe.weight_decay)


def _refuse_infinite(number: int, *losses: float) -> None:
    if not all(math.isfinite(value) for value in losses):
        raise ModelError(f"the loss is not finite in epoch {number}; lower training.learning_rate or scale the features")


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """One thread, deterministic algorithms, and a seeded global generator; what was set before comes back."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic)
