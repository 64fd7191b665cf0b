from collections.abc import Callable
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.architectures.builders import build
from model_zoo.training.called_network import forward
from model_zoo.training.epoch import Epoch
from model_zoo.training.examples import Examples
from model_zoo.training.loop import train
from model_zoo.training.objective import Activation, Objective
from model_zoo.training.recipe import Recipe
from model_zoo.training.repeatable import repeatable

MLP = {"in_features": 2, "hidden": [8], "out_features": 1}


def circles(rows: int, seed: int) -> Examples:
    x = np.random.default_rng(seed).standard_normal((rows, 2)).astype(np.float32)
    return Examples({"x": x}, (np.linalg.norm(x, axis=1) < 1.2).astype(np.int64))


def recipe(**changes: Any) -> Recipe:
    fields = {
        "optimiser": "adam",
        "learning_rate": 0.05,
        "batch_rows": 16,
        "epochs": 30,
        "patience": 30,
        "seed": 1,
        **changes,
    }
    return Recipe(**fields)


def fit(
    parameters: dict[str, Any],
    training: Examples,
    validation: Examples,
    activation: Activation,
    how: Recipe,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> tuple[torch.nn.Module, tuple[Epoch, ...]]:
    with repeatable(how.seed):
        network = build("mlp", parameters)
    objective = Objective("classification", activation)
    return network, train(network, training, validation, objective, how, on_epoch)


def run(how: Recipe, parameters: dict[str, Any] = MLP) -> tuple[torch.nn.Module, tuple[Epoch, ...]]:
    return fit(parameters, circles(200, 0), circles(80, 1), "sigmoid", how)


@pytest.mark.parametrize(
    ("optimiser", "learning_rate"), [("sgd", 0.5), ("momentum", 0.2), ("adam", 0.05)]
)
def test_each_optimiser_learns(optimiser: Any, learning_rate: float) -> None:
    network, epochs = run(recipe(optimiser=optimiser, learning_rate=learning_rate, epochs=15))
    test = circles(300, 2)
    accuracy = np.mean((forward(network, test.inputs)["logit"] > 0) == test.targets)
    assert epochs[-1].training_loss < epochs[0].training_loss / 2
    assert accuracy > 0.9


def test_optimisers_differ() -> None:
    losses = {
        o: run(recipe(optimiser=o, epochs=2))[1][-1].training_loss
        for o in ("sgd", "momentum", "adam")
    }
    assert len(set(losses.values())) == 3


def test_softmax_learns_as_well() -> None:
    parameters = {**MLP, "out_features": 2}
    network, _ = fit(parameters, circles(200, 0), circles(80, 1), "softmax", recipe(epochs=15))
    test = circles(300, 2)
    assert np.mean(forward(network, test.inputs)["logits"].argmax(1) == test.targets) > 0.9


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    dropout = {**MLP, "dropout": 0.3}
    first, again, other = (
        run(recipe(epochs=3, seed=s), dropout)[0].state_dict() for s in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_training_leaves_torch_as_it_was() -> None:
    torch.manual_seed(5)
    before, state = torch.get_num_threads(), torch.random.get_rng_state()
    torch.set_num_threads(2)
    try:
        run(recipe(epochs=1))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.are_deterministic_algorithms_enabled()


def test_it_stops_when_patience_is_over_and_gives_back_the_best_weights() -> None:
    # Labels without any pattern: the network learns the training rows by heart, and validation only gets worse.
    random = np.random.default_rng(0)
    parts = [
        Examples(
            {"x": random.standard_normal((60, 2)).astype(np.float32)}, random.integers(0, 2, 60)
        )
        for _ in range(2)
    ]
    how = recipe(epochs=200, patience=4)
    network, epochs = fit({**MLP, "hidden": [64]}, *parts, "sigmoid", how)
    best = min(epochs, key=lambda e: e.validation_loss)
    assert len(epochs) < 200
    assert len(epochs) == best.number + 4
    logits = torch.from_numpy(forward(network, parts[1].inputs)["logit"])
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.from_numpy(parts[1].targets).float()
    )
    assert float(loss) == pytest.approx(best.validation_loss, rel=1e-5)
    assert not network.training


def test_progress_is_told_epoch_by_epoch() -> None:
    told: list[Epoch] = []
    _, epochs = fit(MLP, circles(40, 0), circles(40, 1), "sigmoid", recipe(epochs=4), told.append)
    assert tuple(told) == epochs
    assert [e.number for e in told] == [1, 2, 3, 4]
    assert told[0].best
    lowest = [min(e.validation_loss for e in told[:n]) if n else math.inf for n in range(4)]
    assert [e.best for e in told] == [
        e.validation_loss < low for e, low in zip(told, lowest, strict=True)
    ]


def test_the_mean_training_loss_counts_every_row_once() -> None:
    """With a learning rate of (almost) nothing, the epoch's mean must be the loss over all rows at once."""
    _, epochs = run(recipe(optimiser="sgd", learning_rate=1e-12, epochs=1, batch_rows=64))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = build("mlp", MLP)
    examples = circles(200, 0)
    logits = torch.from_numpy(forward(network, examples.inputs)["logit"])
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.from_numpy(examples.targets).float()
    )
    assert epochs[0].training_loss == pytest.approx(float(loss), rel=1e-5)


def test_forward_in_pieces_is_forward_at_once() -> None:
    network, _ = run(recipe(epochs=1))
    inputs = circles(1300, 3).inputs
    with torch.inference_mode():
        expected = network(x=torch.from_numpy(inputs["x"]))["logit"].numpy()
    np.testing.assert_allclose(forward(network, inputs)["logit"], expected, rtol=1e-5, atol=1e-6)


def test_a_loss_that_explodes_is_refused() -> None:
    with pytest.raises(
        ModelError, match=r"the loss is not finite in epoch \d+; lower training.learning_rate"
    ):
        run(recipe(optimiser="sgd", learning_rate=1e30))


def test_an_architecture_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ModelError, match=r"does not take inputs of shape \{'x': \(2,\)\}"):
        run(recipe(), {**MLP, "in_features": 3})


def stepped(how: Recipe, steps: int) -> list[torch.Tensor]:
    """The weights after some steps on all rows at once, by the definitions of the optimisers."""
    examples = circles(40, 0)
    inputs = torch.from_numpy(examples.inputs["x"])
    classes = torch.from_numpy(examples.targets).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        network = build("mlp", MLP)
    weights = list(network.parameters())
    first, second = ([torch.zeros_like(w) for w in weights] for _ in range(2))
    for step in range(1, steps + 1):
        network.zero_grad()
        logits = network(x=inputs)["logit"]
        torch.nn.functional.binary_cross_entropy_with_logits(logits, classes).backward()
        with torch.no_grad():
            for w, m, v in zip(weights, first, second, strict=True):
                assert w.grad is not None
                if how.optimiser == "adam":
                    w -= how.learning_rate * how.weight_decay * w
                    m += 0.1 * (w.grad - m)
                    v += 0.001 * (w.grad**2 - v)
                    mean, square = m / (1 - 0.9**step), v / (1 - 0.999**step)
                    w -= how.learning_rate * mean / (square.sqrt() + 1e-8)
                    continue
                gradient = w.grad + how.weight_decay * w
                m.copy_(gradient if how.optimiser == "sgd" else how.momentum * m + gradient)
                w -= how.learning_rate * m
    return [w.detach() for w in weights]


@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({}, {"momentum": 0.9, "weight_decay": 0.0}),
        ({"momentum": 0.5, "weight_decay": 0.1}, {"momentum": 0.5, "weight_decay": 0.1}),
    ],
)
def test_three_steps_of_each_optimiser_are_those_of_its_definition(
    optimiser: Any, said: dict[str, float], meant: dict[str, float]
) -> None:
    fields: dict[str, Any] = {"optimiser": optimiser, "epochs": 3, "batch_rows": 40}
    rows = circles(40, 0)
    # Validated on the rows that it learns, the last epoch is the best.
    network, epochs = fit(MLP, rows, rows, "sigmoid", recipe(**fields, **said))
    assert epochs[-1].best
    expected = stepped(recipe(**fields, **meant), 3)
    for found, wanted in zip(network.parameters(), expected, strict=True):
        np.testing.assert_allclose(found.detach().numpy(), wanted.numpy(), rtol=1e-4, atol=1e-5)


def test_an_epoch_that_is_as_good_as_the_best_is_no_better() -> None:
    """Nothing is learned, so every epoch is as good as the first."""
    how = recipe(optimiser="sgd", learning_rate=0.0, epochs=9, patience=3)
    _, epochs = run(how)
    assert [epoch.best for epoch in epochs] == [True, False, False, False]


def test_torch_computes_on_one_thread_and_alike_while_it_trains() -> None:
    seen = []

    def look(_: Epoch) -> None:
        seen.append((torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()))

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        fit(MLP, circles(40, 0), circles(40, 1), "sigmoid", recipe(epochs=2), look)
    finally:
        torch.set_num_threads(before)
    assert seen == [(1, True)] * 2


def test_outputs_of_no_rows_have_their_names_and_shapes() -> None:
    network, _ = run(recipe(epochs=1), {**MLP, "out_features": 1})
    outputs = forward(network, {"x": np.zeros((0, 2), np.float32)})
    assert {name: values.shape for name, values in outputs.items()} == {"logit": (0,)}


class OfRows(nn.Module):
    """A network that takes no mini-batch without a row."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        of_rows = x.reshape(len(x), -1)
        return self.layer(of_rows)[:, 0]


def test_one_row_is_enough_to_see_whether_a_network_fits() -> None:
    one = circles(1, 0)
    objective = Objective("classification", "sigmoid")
    epochs = train(OfRows(), one, one, objective, recipe(epochs=1), lambda epoch: None)
    assert len(epochs) == 1
