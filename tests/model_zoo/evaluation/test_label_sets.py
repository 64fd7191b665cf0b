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
