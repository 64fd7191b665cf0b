"""Stopped anywhere and resumed, a training ends with the bits of one that nothing stopped."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from configs.errors import JobError
from model_zoo.arrays import Arrays
from model_zoo.training.checkpoints import Checkpoints, Content, Origin
from model_zoo.training.epoch import Epoch
from model_zoo.training.examples import Examples
from model_zoo.training.loop import train
from model_zoo.training.objective import Objective
from model_zoo.training.recipe import Recipe
from model_zoo.training.repeatable import repeatable

RECIPES = {
    "adam": Recipe(epochs=3, batch_rows=8, learning_rate=0.05, clip_norm=0.5),
    "momentum": Recipe(
        "momentum", 0.05, epochs=3, batch_rows=4, schedule="one_cycle", accumulate=2
    ),
    "sgd": Recipe(
        "sgd", 0.5, epochs=4, batch_rows=8, schedule="plateau", plateau_epochs=1, patience=2
    ),
    "bfloat16": Recipe("adamw", 0.05, epochs=2, batch_rows=8, precision="bfloat16"),
}


class Killed(KeyboardInterrupt):
    """The process ends here."""


class Net(nn.Module):
    """Draws from every generator, keeps running means, and ties two of its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 6)
        self.norm = nn.BatchNorm1d(6)
        self.drop = nn.Dropout(0.3)
        self.square = nn.Linear(6, 6, bias=False)
        self.again = nn.Linear(6, 6, bias=False)
        self.again.weight = self.square.weight
        self.last = nn.Linear(6, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = self.drop(self.norm(self.first(x)))
        if self.training:
            hidden = hidden * random.uniform(0.9, 1.1)  # noqa: S311 - what networks draw from
            hidden = hidden + float(np.random.normal(0, 0.01))
        return {"logit": self.last(self.again(torch.relu(self.square(hidden))))[:, 0]}


class Points:
    """Counts the places where a process may be killed, and kills it at one."""

    def __init__(self, killed_at: int | None) -> None:
        self.count = 0
        self._killed_at = killed_at

    def come_by(self, *_: object) -> None:
        self.count += 1
        if self.count == self._killed_at:
            raise Killed


@dataclass(frozen=True)
class Watched(Checkpoints):
    """Checkpoints that are killed before and after they are written."""

    points: Points = field(default_factory=lambda: Points(None))

    def write(self, origin: Origin, content: Content) -> None:
        self.points.come_by()
        super().write(origin, content)
        self.points.come_by()


def examples(rows: int, seed: int) -> Examples:
    x = np.random.default_rng(seed).standard_normal((rows, 4)).astype(np.float32)
    return Examples({"x": x}, (x[:, 0] * x[:, 1] > 0).astype(np.int64))


def vary(inputs: Arrays, draw: np.random.Generator) -> Arrays:
    return {
        name: array + draw.normal(0, 0.1, array.shape).astype("f") for name, array in inputs.items()
    }


def fit(
    recipe: Recipe,
    checkpoints: Checkpoints | None = None,
    points: Points | None = None,
    **changes: Any,
) -> tuple[dict[str, torch.Tensor], tuple[Epoch, ...]]:
    points = points or Points(None)
    with repeatable(recipe.seed):
        network = Net()
    network.register_forward_pre_hook(points.come_by)
    given: dict[str, Any] = {
        "training": examples(26, 0),
        "validation": examples(10, 1),
        "objective": Objective("classification", "sigmoid"),
        **changes,
    }
    epochs = train(
        network,
        recipe=recipe,
        on_epoch=points.come_by,
        checkpoints=checkpoints,
        augment=vary,
        on_step=points.come_by,
        **given,
    )
    assert not network.training
    return network.state_dict(), epochs


def without_seconds(epochs: tuple[Epoch, ...]) -> list[dict[str, Any]]:
    return [asdict(replace(epoch, seconds=0.0)) for epoch in epochs]


def check_same(
    found: tuple[dict[str, torch.Tensor], tuple[Epoch, ...]],
    expected: tuple[dict[str, torch.Tensor], tuple[Epoch, ...]],
) -> None:
    assert without_seconds(found[1]) == without_seconds(expected[1])
    assert found[0].keys() == expected[0].keys()
    assert all(torch.equal(found[0][name], expected[0][name]) for name in expected[0])


# Every point, or one of so many.
@pytest.mark.parametrize("of", [pytest.param(1, marks=pytest.mark.slow), 37])
@pytest.mark.parametrize("name", RECIPES)
def test_killed_at_every_point_and_resumed_it_ends_with_the_same_bits(
    name: str, of: int, tmp_path: Path
) -> None:
    recipe = RECIPES[name]
    expected = fit(recipe)
    points = Points(None)
    kept = Watched(str(tmp_path / "all"), minutes=0, seconds=0, points=points)
    check_same(fit(recipe, kept, points), expected)
    assert points.count > 20
    for killed_at in range(1, points.count + 1, of):
        folder = str(tmp_path / str(killed_at))
        dying = Points(killed_at)
        with pytest.raises(Killed):
            fit(recipe, Watched(folder, minutes=0, seconds=0, points=dying), dying)
        check_same(fit(recipe, Checkpoints(folder)), expected)


def test_killed_again_and_again_it_still_ends(tmp_path: Path) -> None:
    recipe = RECIPES["momentum"]
    expected = fit(recipe)
    kills = 0
    while True:
        points = Points(14)
        try:
            found = fit(recipe, Watched(str(tmp_path), minutes=0, seconds=0, points=points), points)
            break
        except Killed:
            kills += 1
    assert kills > 3
    check_same(found, expected)


def test_one_that_was_over_is_not_trained_again(tmp_path: Path) -> None:
    recipe = RECIPES["adam"]
    kept = Checkpoints(str(tmp_path), minutes=9, seconds=1e9)
    expected = fit(recipe, kept)
    told: list[Epoch] = []
    steps: list[object] = []
    with repeatable(recipe.seed):
        network = Net()
    train(
        network,
        examples(26, 0),
        examples(10, 1),
        Objective("classification", "sigmoid"),
        recipe,
        told.append,
        kept,
        vary,
        steps.append,
    )
    assert told == steps == []
    check_same((network.state_dict(), expected[1]), expected)


def test_only_epochs_that_are_new_are_told(tmp_path: Path) -> None:
    recipe = RECIPES["adam"]
    told = []

    def stop_in_the_second(epoch: Epoch) -> None:
        told.append(epoch.number)
        if epoch.number == 2:
            raise Killed

    for on_epoch in (stop_in_the_second, lambda epoch: told.append(epoch.number)):
        with repeatable(recipe.seed):
            network = Net()
        try:
            epochs = train(
                network,
                examples(26, 0),
                examples(10, 1),
                Objective("classification", "sigmoid"),
                recipe,
                on_epoch,
                Checkpoints(str(tmp_path), seconds=0),
            )
        except Killed:
            continue
    assert told == [1, 2, 3]
    assert [epoch.number for epoch in epochs] == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        (lambda: {"recipe": replace(RECIPES["adam"], epochs=9)}, "recipe"),
        (lambda: {"recipe": replace(RECIPES["adam"], seed=9)}, "network and recipe"),
        (lambda: {"training": examples(26, 7)}, "training rows"),
        (lambda: {"validation": examples(10, 7)}, "validation rows"),
        (lambda: {"training": examples(10, 7), "validation": examples(9, 1)}, "training rows and"),
        (lambda: {"objective": Objective("classification", "sigmoid", (1.0, 2.0))}, "objective"),
        (lambda: {"checkpoints": "another job"}, "job"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused_in_one_line(
    change: Callable[[], dict[str, Any]], differing: str, tmp_path: Path
) -> None:
    kept = Checkpoints(str(tmp_path), "the job", seconds=0)
    points = Points(30)
    with pytest.raises(Killed):
        fit(RECIPES["adam"], kept, points)
    changes: dict[str, Any] = {"recipe": RECIPES["adam"], **change()}
    if "checkpoints" in changes:
        kept = replace(kept, job=changes.pop("checkpoints"))
    with pytest.raises(JobError, match=f"a training with another {differing}.*; train as before"):
        fit(checkpoints=kept, **changes)
