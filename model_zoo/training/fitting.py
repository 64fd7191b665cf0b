"""Steps, epochs and validation of one training, from where it begins or was stopped."""

from collections.abc import Sequence
import math

import numpy as np
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.tensors import to_tensor
from model_zoo.training.called_network import FORWARD_ROWS, CalledNetwork
from model_zoo.training.epoch import Epoch, OnEpoch, OnStep, Step, find_best
from model_zoo.training.examples import Augment, Examples
from model_zoo.training.mini_batches import (
    Rows,
    cut_mini_batches,
    group,
    take_rows,
    transfer_rows,
)
from model_zoo.training.objective import Objective
from model_zoo.training.precision import reduced_precision
from model_zoo.training.recipe import Recipe
from model_zoo.training.repeatable import derive_seed, seed_generators
from model_zoo.training.resuming import Progress, Resuming, make_progress
from model_zoo.training.schedule import count_drops, find_rate
from model_zoo.training.trained_parts import list_trained, set_training

_ALL = slice(None)


class Fitting:
    """One training: epochs of steps, each validated, until there is no progress.

    Args:
        called: the network, on the device.
        training, validation, objective, recipe: as for `train`.
        resuming: what changes with every step.
        device: where it is computed.
    """

    def __init__(
        self,
        called: CalledNetwork,
        training: Examples,
        validation: Examples,
        objective: Objective,
        recipe: Recipe,
        resuming: Resuming,
        device: torch.device,
    ) -> None:
        self._called = called
        self._training = training
        self._validation = validation
        self._objective = objective
        self._recipe = recipe
        self._resuming = resuming
        self._device = device

    def run(
        self,
        on_epoch: OnEpoch,
        augment: Augment | None,
        on_step: OnStep,
    ) -> list[Epoch]:
        """Go on until there is no progress, and return all epochs.

        Args:
            on_epoch, augment, on_step: as for `train`.
        """
        recipe = self._recipe
        epochs, progress = self._resuming.resume()
        while len(epochs) < recipe.epochs and not self._is_over(epochs):
            number = len(epochs) + 1
            self._train_epoch(number, epochs, progress, augment, on_step)
            epoch = self._judge(number, epochs, progress)
            epochs.append(epoch)
            progress = make_progress()
            # The last one is always kept: packing may be stopped, too.
            is_last = len(epochs) == recipe.epochs or self._is_over(epochs)
            self._resuming.keep(epochs, progress, within_epoch=False, is_last=is_last)
            on_epoch(epoch)
        return epochs

    def _judge(
        self,
        number: int,
        epochs: Sequence[Epoch],
        progress: Progress,
    ) -> Epoch:
        """Validate after an epoch, and keep its weights where they are the best so far."""
        validation_loss = self._validate()
        training_loss = progress.mean_loss
        self._refuse_infinite(number, validation_loss, "validation")
        best = find_best(epochs)
        is_best = best is None or validation_loss < best.validation_loss
        if is_best:
            self._resuming.keep_best()
        return Epoch(
            number=number,
            training_loss=training_loss,
            validation_loss=validation_loss,
            best=is_best,
            learning_rate=progress.learning_rate,
            seconds=progress.stop_clock(),
        )

    def _is_over(self, epochs: Sequence[Epoch]) -> bool:
        """Tell whether there was no progress for too long."""
        best = find_best(epochs)
        if best is None:
            return False
        waited = len(epochs) - best.number
        return waited >= self._recipe.patience

    def _train_epoch(
        self,
        number: int,
        epochs: Sequence[Epoch],
        progress: Progress,
        augment: Augment | None,
        on_step: OnStep,
    ) -> None:
        """Pass over the training rows once, or over those that a stopped training left."""
        recipe = self._recipe
        losses = [epoch.validation_loss for epoch in epochs]
        drops = count_drops(losses, recipe.plateau_epochs)
        rows = len(self._training)
        batches = cut_mini_batches(rows, recipe.batch_rows, recipe.seed, number)
        groups = group(batches, recipe.accumulate)
        steps = len(groups)
        set_training(self._called.network)
        for place in range(progress.steps, steps):
            step = (number - 1) * steps + place
            rate = find_rate(recipe, step, steps, drops)
            first_batch = place * recipe.accumulate
            self._set_rate(rate)
            self._step(number, first_batch, groups[place], progress, augment)
            progress.steps = place + 1
            progress.learning_rate = rate
            told = Step(number, progress.steps, steps)
            on_step(told)
            # After the last step the epoch is validated first.
            if progress.steps < steps:
                self._resuming.keep(epochs, progress, within_epoch=True)

    def _set_rate(self, rate: float) -> None:
        for settings in self._resuming.optimiser.param_groups:
            settings["lr"] = rate

    def _step(
        self,
        epoch: int,
        first_batch: int,
        batches: Sequence[Rows],
        progress: Progress,
        augment: Augment | None,
    ) -> None:
        """Change the weights once, by the gradients of some mini-batches."""
        optimiser = self._resuming.optimiser
        scaler = self._resuming.scaler
        weights = [self._weigh(rows) for rows in batches]
        total = sum(weights)
        optimiser.zero_grad()
        # A group of mini-batches that do not fit into memory at once: their gradients add up.
        for place, rows in enumerate(batches):
            weight = weights[place]
            value = self._compute_loss(rows, epoch, first_batch + place, augment)
            loss = value.item()
            self._refuse_infinite(epoch, loss, "training")
            # As if the rows of all were one mini-batch.
            share = weight / total
            scaled = scaler.scale(value * share)
            scaled.backward()  # type: ignore[no-untyped-call]
            # A mean of means, weighted: the last mini-batch may have more or fewer rows.
            progress.total_loss += loss * weight
            progress.weight += weight
        if self._recipe.clip_norm is not None:
            # The length is of gradients as they are, without what float16 multiplies them by.
            scaler.unscale_(optimiser)
            trained = list_trained(self._called.network)
            nn.utils.clip_grad_norm_(trained, self._recipe.clip_norm)
        scaler.step(optimiser)
        scaler.update()

    def _weigh(self, rows: Rows) -> float:
        return self._objective.weigh(self._training.targets[rows])

    def _compute_loss(
        self,
        rows: Rows,
        epoch: int,
        batch: int,
        augment: Augment | None,
    ) -> torch.Tensor:
        """Return the mean loss of some training rows."""
        seed = derive_seed(self._recipe.seed, epoch, batch)
        seed_generators(seed, self._device)
        inputs = take_rows(self._training.inputs, rows)
        if augment is not None:
            draw = np.random.default_rng([self._recipe.seed, epoch, batch])
            inputs = augment(inputs, draw)
        tensors = transfer_rows(
            inputs,
            _ALL,
            self._device,
        )
        targets = to_tensor(self._training.targets[rows]).to(self._device)
        with reduced_precision(self._recipe, self._device):
            output = self._called.compute(tensors)
        return self._objective.compute(output, targets)

    def _validate(self) -> float:
        """Return the mean loss of the validation rows, computed as scoring does."""
        self._called.network.eval()
        examples = self._validation
        total = 0.0
        weight = 0.0
        for start in range(
            0,
            len(examples),
            FORWARD_ROWS,
        ):
            rows = slice(start, start + FORWARD_ROWS)
            # Not in inference mode: what a network keeps for its next call could not be trained with.
            with torch.no_grad():
                tensors = transfer_rows(
                    examples.inputs,
                    rows,
                    self._device,
                )
                targets = to_tensor(examples.targets[rows]).to(self._device)
                output = self._called.compute(tensors)
                loss = self._objective.compute(output, targets)
            of_rows = self._objective.weigh(examples.targets[rows])
            total += loss.item() * of_rows
            weight += of_rows
        if not weight:
            raise ModelError("there are no validation rows; raise split.validation")
        return total / weight

    def _refuse_infinite(
        self,
        epoch: int,
        loss: float,
        which: str,
    ) -> None:
        if math.isfinite(loss):
            return
        # The likeliest cause, which a lower learning rate would not mend.
        for name, array in self._training.inputs.items():
            is_float = np.issubdtype(array.dtype, np.floating)
            if is_float and not np.isfinite(array).all():
                raise ModelError(
                    f"the {which} loss is not finite in epoch {epoch}: input {name} has numbers that "
                    "are not finite; fill missing values, or leave such rows out"
                )
        further = ""
        if self._recipe.clip_norm is None:
            further = ", set training.clip_norm"
        raise ModelError(
            f"the loss is not finite in epoch {epoch}; "
            f"lower training.learning_rate{further} or scale the features"
        )
