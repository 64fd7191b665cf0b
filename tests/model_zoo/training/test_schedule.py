"""Each schedule against torch's own, asked step by step."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from model_zoo.training.recipe import Recipe
from model_zoo.training.schedule import count_drops, find_rate

EPOCHS, STEPS, HIGHEST = 6, 5, 0.4


def rates(schedule: str, **changes: Any) -> list[float]:
    recipe = Recipe(learning_rate=HIGHEST, epochs=EPOCHS, schedule=schedule, **changes)  # type: ignore[arg-type]
    return [find_rate(recipe, step, STEPS) for step in range(EPOCHS * STEPS)]


def of_torch(make: Callable[[torch.optim.Optimizer], Any], steps: int) -> list[float]:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=HIGHEST)
    scheduler = make(optimiser)
    found = []
    for _ in range(steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return found


def test_a_constant_rate() -> None:
    assert rates("constant") == [HIGHEST] * EPOCHS * STEPS


def test_steps_down_are_torchs() -> None:
    expected = of_torch(lambda o: lr_scheduler.StepLR(o, 2 * STEPS, gamma=0.5), EPOCHS * STEPS)
    assert rates("step", step_epochs=2, decay=0.5) == pytest.approx(expected)


def test_half_a_cosine_is_torchs() -> None:
    expected = of_torch(lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS * STEPS), EPOCHS * STEPS)
    assert rates("cosine") == pytest.approx(expected)


@pytest.mark.parametrize("epochs", [1, 2, 6])
def test_one_cycle_is_torchs(epochs: int) -> None:
    steps = epochs * STEPS
    recipe = Recipe(learning_rate=HIGHEST, epochs=epochs, schedule="one_cycle")
    expected = of_torch(lambda o: _Fixed(o, HIGHEST, steps), steps)
    assert [find_rate(recipe, step, STEPS) for step in range(steps)] == pytest.approx(expected)


class _Fixed:
    """OneCycleLR that is not asked for the step behind its last, which it refuses."""

    def __init__(self, optimiser: torch.optim.Optimizer, highest: float, steps: int) -> None:
        self._left = steps - 1
        self._inner = lr_scheduler.OneCycleLR(
            optimiser, highest, total_steps=steps, cycle_momentum=False
        )

    def step(self) -> None:
        if self._left:
            self._left -= 1
            self._inner.step()


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine"])
def test_a_warm_up_is_torchs_and_the_schedule_begins_behind_it(schedule: str) -> None:
    warm = 2 * STEPS
    expected = of_torch(
        lambda o: lr_scheduler.LinearLR(o, start_factor=1 / warm, total_iters=warm - 1), warm
    )
    found = rates(schedule, warm_up_epochs=2, step_epochs=3)
    assert found[:warm] == pytest.approx(expected)
    assert found[warm] == HIGHEST
    assert find_rate(Recipe(schedule="cosine", epochs=4, warm_up_epochs=2), 30, 10) == (
        pytest.approx(0.5e-3)
    )


def test_a_plateau_is_torchs() -> None:
    losses = [5, 4, 4, 4.5, 4, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2]
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=HIGHEST)
    # Torch counts those that it forgives, and we those after which it is lowered.
    plateau = lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.5, patience=2, threshold=0)
    recipe = Recipe(learning_rate=HIGHEST, schedule="plateau", decay=0.5, plateau_epochs=3)
    for epoch, loss in enumerate(losses, start=1):
        plateau.step(loss)
        drops = count_drops(losses[:epoch], 3)
        rate = find_rate(recipe, epoch * STEPS, STEPS, drops)
        assert rate == pytest.approx(optimiser.param_groups[0]["lr"])
    assert drops == 3
