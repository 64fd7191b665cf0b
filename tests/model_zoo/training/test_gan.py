"""A discriminator learns rows of one kind, and scores what is not of it lower; it never sees others."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.architectures.builders import build
from model_zoo.training.called_network import forward
from model_zoo.training.epoch import Epoch
from model_zoo.training.examples import Examples
from model_zoo.training.gan import _Adversaries, train_gan
from model_zoo.training.recipe import Recipe
from model_zoo.training.repeatable import repeatable

NOISE = 4
HOW = Recipe(learning_rate=1e-3, batch_rows=32, epochs=3, seed=1)


def crosses(rows: int, seed: int) -> np.ndarray:
    """Pictures 4 x 4 with a line and a column lit, and some noise."""
    random = np.random.default_rng(seed)
    pictures = np.full((rows, 1, 4, 4), -1.0)
    numbers = np.arange(rows)
    pictures[numbers, 0, random.integers(0, 4, rows), :] = 1
    pictures[numbers, 0, :, random.integers(0, 4, rows)] = 1
    noisy = pictures + random.normal(0, 0.1, pictures.shape)
    return np.clip(noisy, -1, 1).astype(np.float32)


def others(rows: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.uniform(-1, 1, (rows, 1, 4, 4)).astype(np.float32)


def mixed(rows: int, seed: int, filler: Any = others) -> Examples:
    pictures = np.concatenate([crosses(rows, seed), filler(rows, seed)])
    return Examples({"image": pictures}, np.repeat([1.0, 0.0], rows).astype(np.float32))


def run(how: Recipe = HOW, **changes: Any) -> tuple[torch.nn.Module, tuple[Epoch, ...]]:
    sizes = {"channels": 1, "height": 4, "width": 4, "hidden": [32]}
    with repeatable(how.seed):
        discriminator = build("discriminator", sizes)
        generator = build("generator", {**sizes, "noise": NOISE})
    arguments: dict[str, Any] = {
        "discriminator": discriminator,
        "generator": generator,
        "noise_numbers": NOISE,
        "training": mixed(300, 0),
        "validation": mixed(60, 1),
        "recipe": how,
        "on_epoch": lambda epoch: None,
        **changes,
    }
    return discriminator, train_gan(**arguments)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_not_of_the_kind_scores_lower(seed: int) -> None:
    network, epochs = run(Recipe(learning_rate=1e-3, batch_rows=32, epochs=30, seed=seed))
    test = mixed(200, 9)
    scores = forward(network, test.inputs)["logit"]
    assert roc_auc_score(test.targets, scores) > 0.9
    assert [epoch.number for epoch in epochs] == list(range(1, 31))
    assert not network.training


def test_rows_of_the_other_label_are_never_looked_at() -> None:
    def nonsense(rows: int, seed: int) -> np.ndarray:
        return np.full((rows, 1, 4, 4), np.nan, np.float32)

    first, _ = run()
    second, _ = run(training=mixed(300, 0, nonsense), validation=mixed(60, 1, nonsense))
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name])


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    first, again, other = (
        run(Recipe(learning_rate=1e-3, batch_rows=32, epochs=2, seed=seed))[0].state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_progress_is_told_epoch_by_epoch_and_the_last_one_is_kept() -> None:
    told: list[Epoch] = []
    network, epochs = run(on_epoch=told.append)
    assert tuple(told) == epochs
    assert epochs[-1].best
    # What it tells after fewer epochs is something else.
    earlier, _ = run(Recipe(learning_rate=1e-3, batch_rows=32, epochs=2, seed=1))
    image = crosses(5, 3)
    scores = [forward(n, {"image": image})["logit"] for n in (network, earlier)]
    assert not np.array_equal(*scores)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": Examples({"image": crosses(9, 0)}, np.zeros(9))}, "no rows of the second"),
        (
            {"training": Examples({"a": crosses(9, 0), "b": crosses(9, 0)}, np.ones(9))},
            "one input, and there are a, b",
        ),
        ({"noise_numbers": 3}, "networks do not take its rows"),
        (
            {
                "generator": build(
                    "generator",
                    {"noise": NOISE, "channels": 1, "height": 4, "width": 5, "hidden": []},
                )
            },
            r"makes rows of \(1, 4, 5\), and image is \(1, 4, 4\)",
        ),
        (
            {
                "discriminator": build(
                    "cnn", {"channels": 1, "height": 4, "width": 4, "classes": 2, "widths": [2]}
                )
            },
            "one logit a row",
        ),
    ],
)
def test_networks_and_rows_that_do_not_go_together_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        run(**changes)


def test_a_loss_that_explodes_is_refused() -> None:
    with pytest.raises(ModelError, match=r"lower training\.learning_rate"):
        run(Recipe(learning_rate=1e30, batch_rows=32, epochs=3, seed=1))


def test_a_generator_learns_to_be_taken_for_real() -> None:
    """By a discriminator that takes bright pictures for real, and learns nothing."""

    class Brightness(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"logit": self.scale * image.mean((1, 2, 3))}

    sizes = {"channels": 1, "height": 4, "width": 4, "hidden": [8], "noise": NOISE}
    with repeatable(1):
        generator = build("generator", sizes)
        adversaries = _Adversaries(Brightness(), generator, NOISE, "image", 0.05)
        before = adversaries._make(64).mean()
        for _ in range(10):
            adversaries._teach_generator(64)
        assert adversaries._make(64).mean() > before + 0.1
