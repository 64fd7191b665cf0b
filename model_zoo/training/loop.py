"""The training loop: a network and two sets of examples in, the weights of the best epoch out.

The same seed gives the same bits: one thread, deterministic algorithms, and generators of its own.
Knows no Beam.
"""

from collections.abc import Callable, Iterator
import copy
from dataclasses import dataclass
import math
import time

import numpy as np
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.arrays import Arrays, count_rows
from model_zoo.training.checkpoints import Checkpoints
from model_zoo.training.examples import Augment, Examples
from model_zoo.training.objective import Objective
from model_zoo.training.recipe import Recipe
from model_zoo.training.repeatable import repeatable

# Enough rows to keep a core busy, few enough that a picture network's intermediate values stay in
# the cache.
_FORWARD_ROWS = 512


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows.

    Attributes:
        number: counted from 1.
        training_loss, validation_loss: means per row.
        best: whether no earlier validation loss was as low.
        learning_rate: of its last step.
        seconds: that it took.
    """

    number: int
    training_loss: float
    validation_loss: float
    best: bool
    learning_rate: float = 0.0
    seconds: float = 0.0


def train(
    network: nn.Module,
    training: Examples,
    validation: Examples,
    objective: Objective,
    recipe: Recipe,
    on_epoch: Callable[[Epoch], None],
    checkpoints: Checkpoints | None = None,
    augment: Augment | None = None,
) -> tuple[Epoch, ...]:
    """Fit a network, and leave it in eval mode with the weights of the epoch of lowest validation loss.

    Args:
        network: with the weights that training begins with; fresh ones are drawn within `repeatable`.
        training, validation: rows to fit on, and rows that tell when to stop.
        objective: what is to be learned.
        recipe: how to train.
        on_epoch: called after each epoch, for progress.
        checkpoints: where training is resumed from; None to keep none.
        augment: changes the inputs of a mini-batch.

    Returns:
        All epochs.

    Raises:
        ModelError: the network does not fit the examples, or the loss is not finite.
    """
    with repeatable(recipe.seed):
        training_run = _TrainingRun(
            network=network,
            training=training,
            validation=validation,
            loss=objective.make_loss(),
            optimiser=_make_optimiser(network, recipe),
        )
        in_turn = training_run.run_epochs(recipe, on_epoch)
        return tuple(in_turn)


def forward(network: nn.Module, inputs: Arrays) -> Arrays:
    """Return raw outputs float32 (rows, ...) by name, computed in eval mode.

    Args:
        network: called with one tensor (rows, *shape) per input.
        inputs: one array (rows, *shape) each.
    """
    network.eval()
    parts: list[Arrays] = []
    # No rows are one part too: their outputs have names and shapes.
    rows = max(count_rows(inputs), 1)
    for start in range(0, rows, _FORWARD_ROWS):
        some = slice(start, start + _FORWARD_ROWS)
        part = _forward_part(network, inputs, some)
        parts.append(part)

    joined: Arrays = {}
    for name in parts[0]:
        values = [part[name] for part in parts]
        joined[name] = np.concatenate(values)
    return joined


def _forward_part(network: nn.Module, inputs: Arrays, rows: slice) -> Arrays:
    with torch.inference_mode():
        tensors = _to_tensors(inputs, rows)
        outputs = network(**tensors)
        part = {}
        for name, tensor in outputs.items():
            part[name] = tensor.numpy()
        return part


@dataclass(frozen=True)
class _TrainingRun:
    network: nn.Module
    training: Examples
    validation: Examples
    loss: nn.Module
    optimiser: torch.optim.Optimizer

    def run_epochs(
        self,
        recipe: Recipe,
        on_epoch: Callable[[Epoch], None],
    ) -> Iterator[Epoch]:
        """Yield epochs until there is no progress; the network then has the best one's weights.

        Args:
            recipe: how many epochs at most, of how many rows a mini-batch, and how long to wait.
            on_epoch: called with each epoch before it is yielded.
        """
        # A generator of its own: dropout draws from the global one, more or less often.
        order = torch.Generator().manual_seed(recipe.seed)
        best = math.inf
        best_weights = copy.deepcopy(self.network.state_dict())
        waited = 0
        for number in range(1, recipe.epochs + 1):
            began = time.monotonic()
            training_loss = self._train_epoch(recipe.batch_rows, order)
            validation_loss = self._validate()
            _refuse_infinite(number, training_loss, validation_loss)
            is_best = validation_loss < best
            epoch = Epoch(
                number=number,
                training_loss=training_loss,
                validation_loss=validation_loss,
                best=is_best,
                learning_rate=recipe.learning_rate,
                seconds=time.monotonic() - began,
            )
            on_epoch(epoch)
            yield epoch

            waited += 1
            if is_best:
                waited = 0
                best = validation_loss
                # A copy: the next epoch changes the weights in place.
                best_weights = copy.deepcopy(self.network.state_dict())
            if waited >= recipe.patience:
                break

        self.network.load_state_dict(best_weights)
        self.network.eval()

    def _train_epoch(self, batch_rows: int, order: torch.Generator) -> float:
        """Pass over the training rows once, and return the mean loss."""
        self.network.train()
        total = 0.0
        all_rows = len(self.training)
        for rows in _mini_batches(all_rows, batch_rows, order):
            self.optimiser.zero_grad()
            value = self._compute_loss(self.training, rows)
            value.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            # A mean of means, weighted: the last mini-batch may have more or fewer rows.
            total += value.item() * len(rows)
        return total / all_rows

    def _validate(self) -> float:
        """Return the mean loss of the validation rows."""
        self.network.eval()
        rows = np.arange(len(self.validation))
        with torch.inference_mode():
            loss = self._compute_loss(self.validation, rows)
        return float(loss)

    def _compute_loss(
        self,
        examples: Examples,
        rows: np.ndarray,
    ) -> torch.Tensor:
        """Return the mean loss of some rows.

        Raises:
            ModelError: the network does not take the inputs, or its output does not suit the loss.
        """
        try:
            tensors = _to_tensors(examples.inputs, rows)
            outputs = self.network(**tensors)
            (logits,) = outputs.values()
            targets = torch.from_numpy(examples.targets[rows])
            # One logit a row: its loss compares numbers, and not a number with a class.
            if logits.ndim == 1:
                targets = targets.to(logits.dtype)
            value: torch.Tensor = self.loss(logits, targets)
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            shapes = {}
            for name, array in examples.inputs.items():
                shapes[name] = array.shape[1:]
            raise ModelError(
                f"the network does not take inputs of shape {shapes} "
                f"or its output does not suit the loss: {error}"
            ) from error
        return value


def _mini_batches(
    rows: int,
    batch_rows: int,
    order: torch.Generator,
) -> Iterator[np.ndarray]:
    """Yield row numbers, shuffled."""
    shuffled = torch.randperm(rows, generator=order)
    starts = list(range(0, rows, batch_rows))
    # A last batch of one row joins the one before it: batch normalisation cannot train on one row.
    has_several = len(starts) > 1
    if has_several and rows - starts[-1] == 1:
        starts.pop()
    cuts = starts[1:]
    yield from np.split(shuffled.numpy(), cuts)


def _to_tensors(inputs: Arrays, rows: np.ndarray | slice) -> dict[str, torch.Tensor]:
    # torch refuses strides that go backwards, and is slow at others.
    tensors = {}
    for name, array in inputs.items():
        contiguous = np.ascontiguousarray(array[rows])
        tensors[name] = torch.from_numpy(contiguous)
    return tensors


def _make_optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    if recipe.optimiser in ("adam", "adamw"):
        return torch.optim.AdamW(
            network.parameters(),
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )
    # Plain SGD is the one without momentum.
    momentum = 0.0
    if recipe.optimiser == "momentum":
        momentum = recipe.momentum
    return torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=momentum,
        weight_decay=recipe.weight_decay,
    )


def _refuse_infinite(number: int, *losses: float) -> None:
    if not all(map(math.isfinite, losses)):
        raise ModelError(
            f"the loss is not finite in epoch {number}; "
            "lower training.learning_rate or scale the features"
        )
