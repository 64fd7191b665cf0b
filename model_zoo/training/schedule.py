"""The learning rate of each step, as functions of nothing but where the training is.

So that it needs no state: a training that was stopped goes on with the same rates.
"""

from collections.abc import Sequence
import math

from model_zoo.training.recipe import Recipe

# As Smith's one-cycle policy is in torch (Smith and Topin, 2018): it begins at a 25th of the highest
# rate, is at the highest after 30 % of the steps, and ends at a 10 000th of where it began.
_CYCLE_FIRST = 1 / 25
_CYCLE_LAST = _CYCLE_FIRST / 1e4
_CYCLE_PEAK = 0.3


def find_rate(
    recipe: Recipe,
    step: int,
    steps_per_epoch: int,
    drops: int = 0,
) -> float:
    """Return the learning rate of a step.

    Args:
        recipe: how to train.
        step: counted from 0 over all epochs.
        steps_per_epoch: how many an epoch has.
        drops: how often schedule `plateau` has lowered it.
    """
    highest = recipe.learning_rate
    all_steps = recipe.epochs * steps_per_epoch
    if recipe.schedule == "one_cycle":
        return highest * _along_cycle(step, all_steps)
    warm_up = recipe.warm_up_epochs * steps_per_epoch
    # The first step is no step of 0, which would learn nothing.
    if step < warm_up:
        return highest * (step + 1) / warm_up
    done = step - warm_up
    if recipe.schedule == "step":
        epochs = done // steps_per_epoch
        falls = epochs // recipe.step_epochs
        lowered = recipe.decay**falls
        return float(highest * lowered)
    if recipe.schedule == "cosine":
        left = all_steps - warm_up
        share = done / left
        return highest * _along_cosine(
            1.0,
            0.0,
            share,
        )
    if recipe.schedule == "plateau":
        lowered = recipe.decay**drops
        return float(highest * lowered)
    return highest


def count_drops(
    validation_losses: Sequence[float],
    plateau_epochs: int,
) -> int:
    """Return how often the rate is lowered after so many epochs without a lower loss.

    Args:
        validation_losses: of all epochs so far.
        plateau_epochs: without a lower loss, counted anew after each time.

    >>> count_drops([3, 2, 2, 2, 2, 2, 1], plateau_epochs=2)
    2
    """
    best = math.inf
    waited = 0
    drops = 0
    for loss in validation_losses:
        waited += 1
        if loss < best:
            best = loss
            waited = 0
        if waited == plateau_epochs:
            drops += 1
            waited = 0
    return drops


def _along_cycle(
    step: int,
    all_steps: int,
) -> float:
    """Return the share of the highest rate, which a long cosine leads up to and another one down from."""
    peak = _CYCLE_PEAK * all_steps - 1
    if step <= peak:
        share = step / peak
        return _along_cosine(
            _CYCLE_FIRST,
            1.0,
            share,
        )
    last = all_steps - 1
    share = (step - peak) / (last - peak)
    return _along_cosine(
        1.0,
        _CYCLE_LAST,
        share,
    )


def _along_cosine(
    first: float,
    last: float,
    share: float,
) -> float:
    # From 1 down to 0 while the share grows from 0 to 1.
    cosine = math.cos(math.pi * share)
    turned = (1 + cosine) / 2
    return last + (first - last) * turned
