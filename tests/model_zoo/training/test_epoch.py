"""The epoch whose weights are kept."""

import pytest

from model_zoo.training.epoch import Epoch, find_best


def make_epochs(losses: list[float]) -> list[Epoch]:
    epochs: list[Epoch] = []
    for number, loss in enumerate(losses, start=1):
        is_best = all(loss < epoch.validation_loss for epoch in epochs)
        epochs.append(Epoch(number, loss, loss, is_best, 0.1, 1.0))
    return epochs


@pytest.mark.parametrize(
    ("losses", "best"),
    [([3.0], 1), ([3.0, 2.0, 2.5], 2), ([3.0, 4.0], 1), ([3.0, 2.0, 2.0, 1.0, 1.0], 4)],
)
def test_the_best_epoch_is_the_first_of_the_lowest_loss(losses: list[float], best: int) -> None:
    found = find_best(make_epochs(losses))
    assert found is not None
    assert found.number == best


def test_of_no_epochs_none_is_best() -> None:
    assert find_best([]) is None
