"""What of a package's steps is found again, where its network is trained further on other rows."""

from types import SimpleNamespace
from typing import Any

import pytest

from configs.errors import JobError
from model_zoo.steps.encode import Ordinal
from model_zoo.steps.fill import Fill
from model_zoo.steps.scale import Standardise
from pipelines.training.continuing import _find_task, _unfit


def test_what_was_found_in_the_rows_is_found_again_and_what_was_said_is_kept() -> None:
    said = Fill(step="fill", columns=("a",), values=(7,))
    assert _unfit(said) == said
    found = Fill(step="fill", columns=("a",), strategy="mean", values=(7,))
    assert _unfit(found) == Fill(step="fill", columns=("a",), strategy="mean")
    scaled = Standardise(step="standardise", columns=("a",), mean=(1.0,), scale=(2.0,))
    assert _unfit(scaled) == Standardise(step="standardise", columns=("a",))
    known = Ordinal(step="ordinal", columns=("a",), unknown="code", categories=(("x",),))
    assert _unfit(known) == Ordinal(step="ordinal", columns=("a",), unknown="code")


def card_of(task: str | None, activation: str) -> Any:
    return SimpleNamespace(task=task, activation=activation)


@pytest.mark.parametrize(
    ("task", "activation", "found"),
    [
        # Packages that are older than the word say what makes probabilities of their logits.
        (None, "sigmoid", "classification"),
        (None, "softmax", "classification"),
        ("classification", "softmax", "classification"),
        ("classification", "none", "classification"),
        ("multi_label", "sigmoid", "multi_label"),
        ("regression", "none", "regression"),
    ],
)
def test_the_task_that_a_package_was_trained_for_goes_on(
    task: str | None, activation: str, found: str
) -> None:
    assert _find_task(card_of(task, activation), "m") == found


@pytest.mark.parametrize(
    ("task", "activation", "told"),
    [(None, "none", "nothing"), ("tokens", "softmax", "tokens"), ("ranking", "none", "ranking")],
)
def test_a_task_that_training_does_not_learn_is_asked_for(
    task: str | None, activation: str, told: str
) -> None:
    with pytest.raises(JobError, match=f"task: m says {told} of its scores; say task"):
        _find_task(card_of(task, activation), "m")
