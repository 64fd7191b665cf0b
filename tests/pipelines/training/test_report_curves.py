"""What pictures show, beside scikit-learn and numpy."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve

from pipelines.training.figures import Scored
from pipelines.training.report_curves import (
    Question,
    find_calibration,
    find_density,
    find_histogram,
    find_precision_recall,
    find_roc,
    list_questions,
)
from tests.pipelines.training import reported

TWO = reported.score_two(3000)
LATER = Question("y", TWO.truth, TWO.scores)


def test_of_two_classes_the_second_is_asked_for() -> None:
    (question,) = list_questions("classification", ("n", "y"), TWO)
    assert question.label == "y"
    np.testing.assert_array_equal(question.truth, TWO.truth)
    np.testing.assert_array_equal(question.scores, TWO.scores)
    both = Scored(TWO.truth, np.column_stack([1 - TWO.scores, TWO.scores]))
    (alike,) = list_questions("classification", ("n", "y"), both)
    np.testing.assert_array_equal(alike.scores, TWO.scores)


def test_of_more_classes_each_is_asked_for_against_the_rest() -> None:
    scored = reported.score_classes(4)
    questions = list_questions("classification", tuple("abcd"), scored)
    assert [question.label for question in questions] == list("abcd")
    np.testing.assert_array_equal(questions[2].truth, scored.truth == 2)
    np.testing.assert_array_equal(questions[2].scores, scored.scores[:, 2])


def test_of_many_labels_the_most_frequent_ones_in_their_order() -> None:
    scored = reported.score_labels(30)
    names = tuple(f"l{number}" for number in range(30))
    asked = [question.label for question in list_questions("multi_label", names, scored)]
    most = sorted(np.argsort(-scored.truth.sum(axis=0), kind="stable")[:10].tolist())
    assert asked == [names[place] for place in most]


def test_what_all_or_no_rows_are_is_not_asked() -> None:
    truth = np.array([[1, 0, 1], [1, 0, 0]])
    scored = Scored(truth, np.full((2, 3), 0.5))
    assert [q.label for q in list_questions("multi_label", ("a", "b", "c"), scored)] == ["c"]


def test_curves_are_scikit_learns_at_fewer_points() -> None:
    roc = find_roc(LATER)
    false_rate, true_rate, _ = metrics.roc_curve(TWO.truth, TWO.scores)
    points = set(zip(false_rate, true_rate, strict=True))
    assert 50 < len(roc.x) <= 200
    assert set(zip(roc.x, roc.y, strict=True)) <= points
    assert (roc.x[0], roc.x[-1], roc.y[-1]) == (0, 1, 1)
    assert roc.area == metrics.roc_auc_score(TWO.truth, TWO.scores)

    curve = find_precision_recall(LATER)
    precision, recall, _ = metrics.precision_recall_curve(TWO.truth, TWO.scores)
    assert set(zip(curve.x, curve.y, strict=True)) <= set(zip(recall, precision, strict=True))
    assert (curve.x[0], curve.x[-1]) == (0, 1)
    assert curve.area == metrics.average_precision_score(TWO.truth, TWO.scores)


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_calibration_is_scikit_learns_with_its_rows(dtype: type) -> None:
    found = find_calibration(
        "classification", ("n", "y"), Scored(TWO.truth.astype(dtype), TWO.scores)
    )
    was, said = calibration_curve(TWO.truth, TWO.scores, n_bins=10)
    np.testing.assert_array_equal(found.was, was)
    np.testing.assert_array_equal(found.said, said)
    assert found.rows.sum() == 3000
    np.testing.assert_allclose(found.rows @ found.said, TWO.scores.sum())
    np.testing.assert_allclose(found.rows @ found.was, TWO.truth.sum())


def test_calibration_of_classes_is_about_the_best_and_of_labels_about_all() -> None:
    scored = reported.score_classes(4)
    found = find_calibration("classification", tuple("abcd"), scored)
    is_right = scored.scores.argmax(axis=1) == scored.truth
    np.testing.assert_allclose(found.rows @ found.was, is_right.sum())
    np.testing.assert_allclose(found.rows @ found.said, scored.scores.max(axis=1).sum())
    sets = reported.score_labels(3)
    of_sets = find_calibration("multi_label", ("a", "b", "c"), sets)
    assert of_sets.rows.sum() == sets.truth.size
    np.testing.assert_allclose(of_sets.rows @ of_sets.was, sets.truth.sum())


def test_probabilities_that_rounding_has_left_above_one_are_counted() -> None:
    scored = Scored(np.array([0, 1, 1]), np.array([-1e-9, 1 + 1e-7, 0.5]))
    assert find_calibration("classification", ("n", "y"), scored).rows.sum() == 3


@pytest.mark.parametrize(("rows", "cells"), [(10, 8), (400, 20), (10_000, 40)])
def test_every_row_is_in_a_cell_or_counted_as_outside(rows: int, cells: int) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=rows), random.normal(size=rows)
    # What would press all others into one cell.
    x[0] = 1e9
    density = find_density(x, y, alike=True)
    assert density.counts.shape == (cells, cells)
    assert density.counts.sum() + density.outside == rows
    np.testing.assert_array_equal(density.x_edges, density.y_edges)
    assert density.outside >= 1
    if rows > 10:
        assert density.x_edges[-1] < 5
    histogram = find_histogram(x)
    assert histogram.counts.sum() + histogram.outside == rows
    expected, _ = np.histogram(x, histogram.edges)
    np.testing.assert_array_equal(histogram.counts, expected)


def test_numbers_that_are_all_the_same_have_a_width() -> None:
    for value in (0.0, 5.0, -3.0):
        same = np.full(9, value)
        histogram = find_histogram(same)
        assert (histogram.counts.sum(), histogram.outside) == (9, 0)
        assert find_density(same, same, alike=False).counts.sum() == 9
