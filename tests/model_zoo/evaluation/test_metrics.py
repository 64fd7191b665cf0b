"""Metrics against their definitions, counted out in plain loops."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from configs.errors import InputError
from model_zoo.evaluation.metrics import evaluate, render

pairs = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=40)


def counted(truth: list[str], predicted: list[str], label: str) -> tuple[float, float, float]:
    """Precision, recall, F1 of one label; 0 where undefined."""
    both = sum(t == p == label for t, p in zip(truth, predicted, strict=True))
    precision = both / predicted.count(label) if label in predicted else 0.0
    recall = both / truth.count(label) if label in truth else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if both else 0.0


def ranked(truth: np.ndarray, scores: np.ndarray) -> float:
    """ROC AUC: how often a positive row scores higher than a negative one, ties half."""
    positive, negative = scores[truth], scores[~truth]
    return float(np.mean([(p > n) + 0.5 * (p == n) for p in positive for n in negative]))


@settings(max_examples=80, deadline=None)
@given(pairs)
def test_several_labels_are_averaged(rows: list[tuple[str, str]]) -> None:
    truth, predicted = [t for t, _ in rows], [p for _, p in rows]
    result = evaluate(truth, predicted, ["c", "a", "b"])
    expected = np.mean([counted(truth, predicted, label) for label in "cab"], axis=0)
    np.testing.assert_allclose([result.precision, result.recall, result.f1], expected, atol=1e-12)
    assert result.accuracy == pytest.approx(np.mean([t == p for t, p in rows]))
    assert result.confusion == tuple(tuple(rows.count((t, p)) for p in "cab") for t in "cab")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=1, max_size=40))
def test_of_two_labels_the_second_is_positive(rows: list[tuple[bool, int]]) -> None:
    truth, scores = np.array([t for t, _ in rows]), np.array([s / 10 for _, s in rows])
    actual, predicted = (
        ["yes" if t else "no" for t in truth],
        ["yes" if s >= 0.5 else "no" for s in scores],
    )
    result = evaluate(actual, predicted, ["no", "yes"], scores)
    np.testing.assert_allclose(
        [result.precision, result.recall, result.f1], counted(actual, predicted, "yes"), atol=1e-12
    )
    expected = ranked(truth, scores) if truth.any() and not truth.all() else None
    assert result.roc_auc == (None if expected is None else pytest.approx(expected))


def test_auc_of_several_labels_is_the_mean_of_one_against_the_rest() -> None:
    random = np.random.default_rng(0)
    numbers = random.integers(0, 3, 50)
    scores = random.dirichlet(np.ones(3), 50).astype(np.float32)
    truth = [("x", "y", "z")[n] for n in numbers]
    expected = np.mean([ranked(numbers == label, scores[:, label]) for label in range(3)])
    assert evaluate(truth, truth, ["x", "y", "z"], scores).roc_auc == pytest.approx(
        expected, abs=1e-6
    )
    assert (
        evaluate(
            truth, truth, ["x", "y", "z", "w"], np.column_stack([scores, np.zeros(50)])
        ).roc_auc
        is None
    )


def test_results_are_plain_and_survive_json() -> None:
    fields = evaluate(
        ["a", "b"], ["a", "a"], ["a", "b"], np.array([[0.9, 0.1], [0.2, 0.8]])
    ).as_dict()
    assert json.loads(json.dumps(fields)) == fields
    assert fields["roc_auc"] == 1.0
    assert {type(v) for v in fields.values()} == {int, list, float}


def test_text_shows_every_number_and_lines_up() -> None:
    text = render(evaluate(["cat", "dog", "dog"], ["cat", "dog", "cat"], ["cat", "dog"]))
    assert "accuracy   0.6667" in text
    assert "recall     0.5000  (of 'dog')" in text
    assert "ROC AUC    undefined" in text
    assert [line.split() for line in text.splitlines()[-2:]] == [
        ["cat", "1", "0"],
        ["dog", "1", "1"],
    ]
    assert len({len(line) for line in text.splitlines()[-3:]}) == 1


@pytest.mark.parametrize(
    ("truth", "predicted", "labels", "scores", "message"),
    [
        ([], [], ["a", "b"], None, "at least one"),
        (["a"], ["a", "b"], ["a", "b"], None, "1 and 2"),
        (["a"], ["c"], ["a", "b"], None, "the predicted label 'c'"),
        (["c"], ["a"], ["a", "b"], None, "the true label 'c'"),
        (["a"], ["a"], ["a"], None, "two labels or more"),
        (["a"], ["a"], ["a", "a"], None, "all different"),
        (["a"], ["a"], ["a", "b", "c"], np.zeros(1), r"shape \(1,\)"),
        (["a"], ["a"], ["a", "b"], np.zeros((1, 3)), r"shape \(1, 3\)"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    truth: list[str],
    predicted: list[str],
    labels: list[str],
    scores: np.ndarray | None,
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(truth, predicted, labels, scores)


def test_the_text_of_several_labels_is_the_same_for_ever() -> None:
    truth, predicted = ["a", "bird", "c", "c"], ["a", "c", "c", "c"]
    scores = np.array([[1.0, 0, 0], [0, 0.4, 0.6], [0, 0.3, 0.7], [0, 0.2, 0.8]])
    text = render(evaluate(truth, predicted, ["a", "bird", "c"], scores))
    assert text.splitlines() == [
        "rows       4",
        "accuracy   0.7500",
        "precision  0.5556  (mean over labels)",
        "recall     0.6667  (mean over labels)",
        "F1         0.6000  (mean over labels)",
        "ROC AUC    1.0000",
        "",
        "true \\ predicted     a  bird     c",
        "a                    1     0     0",
        "bird                 0     0     1",
        "c                    0     0     2",
    ]


def test_probabilities_of_several_labels_need_not_add_up_to_one() -> None:
    """As where float32 rounded them; each row is scaled by its own sum."""
    truth = ["a", "b", "c", "a"]
    scores = np.array([[8.0, 1, 1], [2, 6, 2], [0.1, 0.1, 0.8], [0.5, 0.4, 0.1]])
    scaled = scores / scores.sum(axis=1)[:, None]
    found = evaluate(truth, truth, ["a", "b", "c"], scores).roc_auc
    numbers = np.array([0, 1, 2, 0])
    expected = np.mean([ranked(numbers == label, scaled[:, label]) for label in range(3)])
    assert found == pytest.approx(expected)


def test_scores_of_two_labels_are_those_of_the_second() -> None:
    truth, positive = ["a", "b", "a", "b"], np.array([0.1, 0.4, 0.6, 0.9])
    expected = ranked(np.array([False, True, False, True]), positive)
    for scores in (positive, np.stack([1 - positive, positive], axis=1)):
        assert evaluate(truth, truth, ["a", "b"], scores).roc_auc == pytest.approx(expected)


def test_of_many_labels_only_the_largest_confusions_are_shown() -> None:
    labels = [f"l{number:03d}" for number in range(500)]
    truth = labels * 3
    predicted = list(truth)
    predicted[7], predicted[507], predicted[9] = "l001", "l001", "l002"
    text = render(evaluate(truth, predicted, labels))
    assert max(map(len, text.splitlines())) < 100
    assert text.splitlines()[-2:] == [
        "      2  true 'l007', predicted 'l001'",
        "      1  true 'l009', predicted 'l002'",
    ]


@pytest.mark.parametrize(("count", "has_matrix"), [(20, True), (21, False)])
def test_a_matrix_of_twenty_labels_is_shown(count: int, has_matrix: bool) -> None:
    labels = [f"l{number}" for number in range(count)]
    text = render(evaluate(labels, labels, labels))
    assert ("true \\ predicted" in text) is has_matrix
    assert ("the most frequent confusions" in text) is not has_matrix


def test_ten_confusions_are_shown_and_no_more() -> None:
    labels = [f"l{number:02d}" for number in range(21)]
    shifted = [*labels[1:], labels[0]]
    lines = render(evaluate(labels, shifted, labels)).splitlines()
    assert lines[-10:] == [
        f"      1  true 'l{number:02d}', predicted 'l{number + 1:02d}'" for number in range(10)
    ]
    assert lines[-11].startswith("21 labels; ")
