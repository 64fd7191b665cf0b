"""What a step does to the weights, against plain loops of torch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.optim import lr_scheduler

from configs.errors import JobError, ModelError
from model_zoo.training.epoch import Epoch, Step
from model_zoo.training.examples import Examples
from model_zoo.training.loop import train
from model_zoo.training.objective import Objective
from model_zoo.training.recipe import Recipe

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((40, 3)).astype(np.float32)
CLASSES = (X[:, 0] + 0.3 * X[:, 1] > 0.5).astype(np.int64)
EXAMPLES = Examples({"input": X}, CLASSES)
SOFTMAX = Objective("classification", "softmax")
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def make() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def fit(
    objective: Objective = SOFTMAX, **changes: Any
) -> tuple[list[torch.Tensor], tuple[Epoch, ...]]:
    network = make()
    how: dict[str, Any] = {"optimiser": "sgd", "learning_rate": 0.5, "batch_rows": 40, "epochs": 4}
    recipe = Recipe(**{**how, **changes})
    # Validated on the rows that it learns, the last epoch is the best.
    epochs = train(network, EXAMPLES, EXAMPLES, objective, recipe, lambda _: None)
    assert epochs[-1].best
    return list(network.parameters()), epochs


def plain(
    change: Callable[[nn.Module], object] = lambda network: None,
    schedule: Callable[[torch.optim.Optimizer], Any] | None = None,
    loss: Loss = functional.cross_entropy,
    steps: int = 4,
) -> list[torch.Tensor]:
    """Weights after steps on all rows at once."""
    network = make()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.5)
    scheduler = schedule(optimiser) if schedule else None
    for _ in range(steps):
        optimiser.zero_grad()
        loss(network(torch.from_numpy(X)), torch.from_numpy(CLASSES)).backward()
        change(network)
        optimiser.step()
        if scheduler:
            scheduler.step()
    return list(network.parameters())


def check(found: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_plain_steps() -> None:
    check(fit()[0], plain())


@pytest.mark.parametrize(("batch_rows", "accumulate"), [(8, 5), (20, 2), (13, 4), (8, 99)])
@pytest.mark.parametrize("weights", [(), (0.2, 3.0)])
def test_mini_batches_that_make_a_step_are_as_one(
    batch_rows: int, accumulate: int, weights: tuple[float, ...]
) -> None:
    objective = Objective("classification", "softmax", weights)
    found, _ = fit(objective, batch_rows=batch_rows, accumulate=accumulate)
    weight = torch.tensor(weights) if weights else None
    check(found, plain(loss=lambda o, t: functional.cross_entropy(o, t, weight=weight)))


def test_gradients_are_clipped_by_their_length() -> None:
    found, _ = fit(clip_norm=0.05)
    check(found, plain(lambda network: nn.utils.clip_grad_norm_(network.parameters(), 0.05)))
    assert not torch.allclose(found[0], fit()[0][0], atol=1e-4)


def test_the_schedule_reaches_the_optimiser() -> None:
    found, epochs = fit(schedule="cosine")
    check(found, plain(schedule=lambda o: lr_scheduler.CosineAnnealingLR(o, 4)))
    assert [epoch.learning_rate for epoch in epochs] == pytest.approx(
        [0.5, 0.4267767, 0.25, 0.0732233]
    )


def test_a_plateau_lowers_the_rate_of_the_epochs_behind_it() -> None:
    network = make()
    noise = Examples({"input": X}, RANDOM.integers(0, 2, 40))
    recipe = Recipe("sgd", 1.0, 8, epochs=12, patience=12, schedule="plateau", plateau_epochs=2)
    epochs = train(network, EXAMPLES, noise, SOFTMAX, recipe, lambda _: None)
    rates = [epoch.learning_rate for epoch in epochs]
    assert rates[:3] == [1.0] * 3
    waited, rate = 0, 1.0
    for epoch in epochs:
        assert epoch.learning_rate == pytest.approx(rate)
        waited = 0 if epoch.best else waited + 1
        if waited == 2:
            waited, rate = 0, rate * 0.1
    assert rate < 1


def test_adam_and_adamw_are_one() -> None:
    check(fit(optimiser="adam", weight_decay=0.5)[0], fit(optimiser="adamw", weight_decay=0.5)[0])


def test_losses_of_weighted_classes_are_weighted_means_of_all_rows() -> None:
    weights = (0.2, 3.0)
    objective = Objective("classification", "softmax", weights)
    _, epochs = fit(objective, learning_rate=1e-12, batch_rows=7, epochs=1)
    logits = make()(torch.from_numpy(X))
    expected = functional.cross_entropy(
        logits, torch.from_numpy(CLASSES), weight=torch.tensor(weights)
    )
    assert epochs[0].training_loss == pytest.approx(expected.item(), rel=1e-5)
    assert epochs[0].validation_loss == pytest.approx(expected.item(), rel=1e-5)


def test_steps_are_told() -> None:
    told: list[Step] = []
    recipe = Recipe(batch_rows=8, accumulate=2, epochs=2)
    train(make(), EXAMPLES, EXAMPLES, SOFTMAX, recipe, lambda _: None, on_step=told.append)
    assert told == [Step(epoch, step, 3) for epoch in (1, 2) for step in (1, 2, 3)]


def test_pictures_are_varied_in_training_alone_and_alike_again() -> None:
    drawn: list[float] = []
    seen: list[tuple[bool, float]] = []

    def vary(inputs: dict[str, np.ndarray], draw: np.random.Generator) -> dict[str, np.ndarray]:
        number = np.float32(draw.random())
        drawn.append(float(number))
        return {"input": np.full_like(inputs["input"], number)}

    for _ in range(2):
        network = make()
        network.register_forward_pre_hook(
            lambda n, _, named: seen.append((n.training, float(named["input"][0, 0]))),
            with_kwargs=True,
        )
        recipe = Recipe(batch_rows=20, epochs=2)
        train(network, EXAMPLES, EXAMPLES, SOFTMAX, recipe, lambda _: None, None, vary)
    assert len(set(drawn)) == 4
    assert drawn[:4] == drawn[4:]
    assert [value for training, value in seen if training] == pytest.approx(drawn)
    validated = {value for training, value in seen if not training}
    assert validated == {float(X[0, 0])}


@pytest.mark.parametrize(
    ("training", "validation", "message"),
    [
        (Examples({"input": X[:0]}, CLASSES[:0]), EXAMPLES, "no training rows; lower split"),
        (EXAMPLES, Examples({"input": X[:0]}, CLASSES[:0]), "no validation rows; raise split"),
    ],
)
def test_parts_without_rows_are_refused(
    training: Examples, validation: Examples, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        train(make(), training, validation, SOFTMAX, Recipe(epochs=1), lambda _: None)


def test_numbers_that_are_not_finite_are_named() -> None:
    x = X.copy()
    x[5, 1] = np.nan
    broken = Examples({"input": x}, CLASSES)
    with pytest.raises(
        ModelError, match=r"not finite in epoch 1: input input has numbers that are"
    ):
        train(make(), broken, EXAMPLES, SOFTMAX, Recipe(epochs=1), lambda _: None)


@pytest.mark.parametrize(
    ("changes", "advice"), [({}, ", set training.clip_norm or"), ({"clip_norm": 1e30}, " or")]
)
def test_a_loss_that_explodes_is_refused_with_what_to_do(changes: Any, advice: str) -> None:
    with pytest.raises(
        ModelError, match=f"lower training.learning_rate{advice} scale the features"
    ):
        fit(learning_rate=1e38, batch_rows=4, **changes)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(
        ModelError, match=r"training.device is cuda, but torch finds no CUDA device"
    ):
        fit(device="cuda")
    fit(device="auto")


def test_float16_on_a_cpu_is_refused() -> None:
    with pytest.raises(JobError, match=r"training.precision is float16, which needs a CUDA device"):
        fit(precision="float16", device="cpu")
