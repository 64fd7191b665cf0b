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


@pytest.mark.parametrize(("count", "is_cut"), [(20, False), (21, True)])
def test_twenty_labels_are_shown_of_more_the_most_frequent(count: int, is_cut: bool) -> None:
    truth = np.ones((2, count), dtype=np.int8)
    # The first one is the rarest.
    truth[0, 0] = 0
    names = [f"label {number:02d}" for number in range(count)]
    text = compare_label_sets(truth, truth, names).render()
    assert ("the 20 most frequent labels" in text) is is_cut
    assert ("label 00" in text) is not is_cut
    assert f"label {count - 1:02d}" in text


def test_average_precisions_are_of_labels_that_a_row_has() -> None:
    truth = np.array([[1, 0], [0, 0]], dtype=np.int8)
    found = compare_label_sets(truth, truth, ["a", "b"], np.array([[0.2, 0.1], [0.3, 0.1]]))
    # The row that has it comes second.
    assert [label.average_precision for label in found.labels] == [0.5, None]
    assert found.mean_average_precision == 0.5


@pytest.mark.parametrize(("rows", "names"), [(0, ["a"]), (1, [])])
def test_nothing_cannot_be_compared(rows: int, names: list[str]) -> None:
    nothing = np.zeros((rows, len(names)), dtype=np.int8)
    with pytest.raises(InputError, match="no row, or no label"):
        compare_label_sets(nothing, nothing, names)
