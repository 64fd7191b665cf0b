"""Figures of numbers against counting, those of several, and their text."""

import numpy as np
import pytest

from configs.errors import InputError
from model_zoo.evaluation.regression import compare_numbers, compare_several


def test_vectors_are_shown_by_their_worst_numbers() -> None:
    draw = np.random.default_rng(0)
    truth = draw.normal(size=(30, 40))
    predicted = truth + draw.normal(size=(30, 40)) * np.linspace(0, 2, 40)
    figures = compare_several(truth, predicted, [f"y[{place}]" for place in range(40)])
    text = figures.render()
    assert "y[39]" in text
    assert "y[0] " not in text
    assert len(text.splitlines()) < 32


def test_figures_are_those_of_counting() -> None:
    figures = compare_numbers(np.array([0.0, 2.0, 4.0]), np.array([1.0, 2.0, 7.0]))
    assert figures.rows == 3
    assert figures.mean_absolute_error == pytest.approx(4 / 3)
    assert figures.root_mean_squared_error == pytest.approx((10 / 3) ** 0.5)
    assert figures.bias == pytest.approx(4 / 3)
    # Ten of eight: worse than the mean.
    assert figures.r2 == pytest.approx(1 - 10 / 8)
    assert figures.render().splitlines() == [
        "rows                     3",
        "mean absolute error      1.33333",
        "root mean squared error  1.82574",
        "bias                     +1.33333  (predicted minus true)",
        "R2                       -0.2500",
    ]


@pytest.mark.parametrize("truth", [[5.0], [5.0, 5.0]])
def test_numbers_that_do_not_vary_have_no_r2(truth: list[float]) -> None:
    figures = compare_numbers(np.array(truth), np.array(truth) + 1)
    assert (figures.r2, figures.bias) == (None, 1.0)


@pytest.mark.parametrize(
    ("truth", "predicted", "why"),
    [
        ([], [], "there is no row to compare"),
        ([1.0, np.nan], [1.0, 2.0], "1 of 2 true numbers are NaN or infinite"),
        ([1.0, 2.0], [np.inf, -np.inf], "2 of 2 predicted numbers"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    truth: list[float], predicted: list[float], why: str
) -> None:
    with pytest.raises(InputError, match=why):
        compare_numbers(np.array(truth), np.array(predicted))


def test_the_mean_of_several_is_over_those_that_have_a_figure() -> None:
    truth = np.array([[0.0, 5.0], [2.0, 5.0]])
    predicted = truth + np.array([[1.0, 3.0], [1.0, 3.0]])
    mean = compare_several(truth, predicted, ["a", "b"]).mean
    assert (mean.rows, mean.mean_absolute_error, mean.bias) == (2, 2.0, 2.0)
    assert (mean.root_mean_squared_error, mean.r2) == (2.0, 0.0)
    of_constant = compare_several(truth[:, 1:], predicted[:, 1:], ["b"]).mean
    assert of_constant.r2 is None


@pytest.mark.parametrize(("outputs", "shown"), [(20, 20), (21, 20)])
def test_twenty_numbers_are_shown_the_worst_of_more_of_them(outputs: int, shown: int) -> None:
    truth = np.stack([np.arange(3.0)] * outputs, axis=1)
    # The first one does not vary, so it is no worse than any.
    truth[:, 0] = 1
    predicted = truth + np.arange(outputs)
    names = [f"y{place:02d}" for place in range(outputs)]
    text = compare_several(truth, predicted, names).render()
    assert sum(f"y{place:02d} " in text for place in range(outputs)) == shown
    assert ("y00 " in text) is (outputs == 20)
    assert (f"the 20 of lowest R2 of {outputs}" in text) is (outputs == 21)


def test_numbers_that_vary_by_less_than_one_have_an_r2() -> None:
    truth = np.array([0.25, 0.5])
    assert compare_numbers(truth, truth).r2 == 1.0
