"""Figures of label sets: their edges, and their text."""

import numpy as np
import pytest

from configs.errors import InputError
from model_zoo.evaluation.label_sets import compare_label_sets


def test_a_table_of_500_labels_fits_a_screen() -> None:
    draw = np.random.default_rng(0)
    truth = (draw.uniform(size=(50, 500)) < 0.1).astype(np.int8)
    names = [f"label {number}" for number in range(500)]
    figures = compare_label_sets(truth, truth, names)
    assert figures.micro_f1 == 1
    lines = figures.render().splitlines()
    assert len(lines) < 32
    assert "the 20 most frequent labels" in figures.render()
    assert len({len(line) for line in lines[-21:]}) == 1


def test_labels_that_nobody_has_or_predicts_are_no_division_by_zero() -> None:
    none = np.zeros((3, 2), dtype=np.int8)
    figures = compare_label_sets(none, none, ["a", "b"], np.full((3, 2), 0.1))
    assert (figures.exact_match, figures.hamming_loss, figures.macro_f1) == (1, 0, 0)
    assert figures.mean_average_precision is None
    with pytest.raises(InputError, match="do not fit"):
        compare_label_sets(none, none, ["a", "b"], np.zeros((3, 3)))


def test_figures_of_each_label_are_those_of_counting() -> None:
    # Of b one row is found and one is not; c is predicted and never true, d is true and never predicted.
    truth = np.array([[1, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]], dtype=np.int8)
    predicted = np.array([[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=np.int8)
    figures = compare_label_sets(truth, predicted, ["a", "b", "c", "d"])
    found = [(f.label, f.true_rows, f.precision, f.recall, f.f1) for f in figures.labels]
    assert found == [
        ("a", 2, 1.0, 1.0, 1.0),
        ("b", 2, 1.0, 0.5, pytest.approx(2 / 3)),
        ("c", 0, 0.0, 0.0, 0.0),
        ("d", 1, 0.0, 0.0, 0.0),
    ]
    # Three right ones of four that were given and of five that there are.
    assert figures.micro_f1 == pytest.approx(2 * 3 / (4 + 5))
    assert figures.macro_f1 == pytest.approx((1 + 2 / 3) / 4)
    assert (figures.exact_match, figures.hamming_loss) == (pytest.approx(1 / 3), 3 / 12)
