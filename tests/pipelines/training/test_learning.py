"""What makes probabilities of a network's numbers, by what is learned and how many numbers there are."""

from types import SimpleNamespace
from typing import Any

import pytest

from configs.errors import ModelError
from model_zoo.package.card import Tensor
from pipelines.training.learning import _find_augment, find_activation


def prepared(*shapes: tuple[int, ...]) -> Any:
    """Return what is known of a network that gives an output of each shape."""
    outputs = {
        f"out{number}": Tensor(dtype="float32", shape=shape) for number, shape in enumerate(shapes)
    }
    return SimpleNamespace(outputs=outputs)


@pytest.mark.parametrize(
    ("task", "shape", "labels", "activation"),
    [
        ("classification", (), 2, "sigmoid"),
        ("classification", (2,), 2, "softmax"),
        ("classification", (5,), 5, "softmax"),
        ("multi_label", (5,), 5, "sigmoid"),
        ("multi_label", (2,), 2, "sigmoid"),
        ("multi_label", (1,), 1, "sigmoid"),
        ("regression", (), 1, "none"),
        ("regression", (3,), 3, "none"),
    ],
)
def test_the_task_and_the_numbers_of_a_row_tell_the_activation(
    task: Any, shape: tuple[int, ...], labels: int, activation: str
) -> None:
    assert find_activation(task, prepared(shape), labels) == activation


@pytest.mark.parametrize(
    ("task", "shape", "labels"),
    [
        # One number tells two classes apart, and no more.
        ("classification", (), 3),
        ("classification", (3,), 2),
        ("classification", (2,), 3),
        ("classification", (1,), 2),
        ("multi_label", (), 1),
        ("multi_label", (2,), 3),
        ("regression", (1,), 1),
        ("regression", (), 2),
        ("regression", (2, 1), 2),
    ],
)
def test_a_network_of_another_number_of_numbers_is_refused(
    task: Any, shape: tuple[int, ...], labels: int
) -> None:
    with pytest.raises(ModelError, match=f"does not suit the loss of {labels} labels"):
        find_activation(task, prepared(shape), labels)


@pytest.mark.parametrize("shapes", [(), ((), ())])
def test_one_output_is_learned(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ModelError, match="one output is learned"):
        find_activation("classification", prepared(*shapes), 2)


def test_rows_are_changed_only_where_the_job_says_how() -> None:
    without: Any = SimpleNamespace(training=SimpleNamespace(augment=None))
    # Nothing of the network is looked at.
    nothing: Any = None
    assert _find_augment(without, nothing) is None
