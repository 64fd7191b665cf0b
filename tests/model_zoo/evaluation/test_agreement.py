"""How scores are compared, against the definitions written out."""

import numpy as np
import pytest

from configs.tolerance import Tolerance
from model_zoo.evaluation.agreement import Agreement, agreement

RANDOM = np.random.default_rng(0)


def test_sigmoid() -> None:
    a = np.array([0.0, 2.0, -2.0], np.float32)
    b = np.array([-0.1, 2.0, -2.5], np.float32)
    found = agreement({"y": a}, {"y": b}, "sigmoid")
    sigmoid = [1 / (1 + np.exp(-v)) for v in (a, b)]
    assert found == Agreement(
        3, pytest.approx(float(np.abs(sigmoid[0] - sigmoid[1]).max()), abs=1e-7), 2 / 3, None
    )
    assert agreement({"y": a}, {"y": b}, "sigmoid", threshold=0.4).label_agreement == 1.0


def test_softmax() -> None:
    a = RANDOM.standard_normal((50, 4)).astype(np.float32)
    b = a + RANDOM.standard_normal((50, 4)).astype(np.float32) * 0.3
    found = agreement({"y": a}, {"y": b}, "softmax")
    p, q = (np.exp(v) / np.exp(v).sum(axis=1, keepdims=True) for v in (a, b))
    assert found.label_agreement == float(np.mean(a.argmax(1) == b.argmax(1))) < 1.0
    assert found.max_difference == pytest.approx(float(np.abs(p - q).max()), abs=1e-6)


def test_vectors_without_activation() -> None:
    a = RANDOM.standard_normal((20, 6)).astype(np.float32)
    b = a.copy()
    b[7] += 0.5
    found = agreement({"y": a}, {"y": b}, "none")
    expected = float(np.dot(a[7], b[7]) / np.linalg.norm(a[7]) / np.linalg.norm(b[7]))
    assert (found.cosine, found.max_difference) == (
        pytest.approx(expected, abs=1e-6),
        pytest.approx(0.5 / np.abs(a).max(), abs=1e-6),
    )
    assert found.label_agreement is None


def test_zeros_agree_with_zeros_and_with_nothing_else() -> None:
    a, b = np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)
    tolerance = Tolerance(max_difference=1.0, label_agreement=0.0, cosine=0.9)
    assert agreement({"y": a}, {"y": a}, "none").is_within(tolerance)
    assert not agreement({"y": a}, {"y": b}, "none").is_within(tolerance)


@pytest.mark.parametrize(
    "worse",
    [
        (0.02, 1.0, 1.0),
        (0.0, 0.98, 1.0),
        (0.0, 1.0, 0.99),
        (float("nan"), 1.0, 1.0),
        (0.0, float("nan"), 1.0),
    ],
)
def test_one_figure_that_is_worse_is_enough(worse: tuple[float, float, float]) -> None:
    tolerance = Tolerance(max_difference=0.01, label_agreement=0.99, cosine=0.999)
    assert Agreement(9, 0.01, 0.99, 0.999).is_within(tolerance)
    assert not Agreement(9, *worse).is_within(tolerance)


def test_nan_scores_are_within_no_tolerance() -> None:
    a = np.array([0.0, np.nan], np.float32)
    assert not agreement({"y": a}, {"y": a}, "sigmoid").is_within(
        Tolerance(max_difference=1.0, label_agreement=0.0, cosine=-1.0)
    )


def test_no_rows_agree() -> None:
    nothing = np.zeros((0, 3), np.float32)
    assert agreement({"y": nothing}, {"y": nothing}, "softmax") == Agreement(0, 0.0, 1.0, None)
    assert agreement({"y": nothing}, {"y": nothing}, "none") == Agreement(0, 0.0, None, 1.0)


@pytest.mark.parametrize(
    ("shape", "has_cosine"), [((5,), False), ((5, 1), False), ((1, 2), True), ((2, 2, 2), True)]
)
def test_outputs_of_one_number_a_row_have_no_cosine(
    shape: tuple[int, ...], has_cosine: bool
) -> None:
    values = RANDOM.standard_normal(shape).astype(np.float32)
    found = agreement({"y": values}, {"y": values}, "none")
    assert found.cosine == (pytest.approx(1.0) if has_cosine else None)
    assert found.rows == shape[0]


def test_of_several_outputs_the_worst_counts() -> None:
    good = np.eye(3, dtype=np.float32)
    bad = good[::-1].copy()
    found = agreement({"a": good, "b": good}, {"a": bad, "b": good}, "none")
    assert (found.max_difference, found.cosine) == (1.0, 0.0)
    assert agreement({"b": good, "a": good}, {"a": bad, "b": good}, "none") == found


def test_a_row_reaches_half_unless_another_threshold_is_said() -> None:
    a, b = np.array([0.0, -0.1, 0.1]), np.array([-0.1, 0.0, 0.2])
    assert agreement({"y": a}, {"y": b}, "sigmoid").label_agreement == 1 / 3


def test_of_several_labels_each_is_one_that_may_differ() -> None:
    """Of three labels of two rows the second row's last is lost; at a threshold of its own it is not."""
    expected = np.array([[2.0, -2.0, 2.0], [2.0, 2.0, 0.1]])
    actual = np.array([[2.0, -2.0, 2.0], [2.0, 2.0, -0.1]])
    found = agreement({"y": expected}, {"y": actual}, "sigmoid")
    assert (found.rows, found.label_agreement) == (2, 5 / 6)
    thresholds = np.array([0.5, 0.5, 0.9])
    found = agreement({"y": expected}, {"y": actual}, "sigmoid", thresholds)
    assert found.label_agreement == 5 / 6 + 1 / 6


def test_of_tokens_each_counts_and_padding_does_not() -> None:
    expected = np.zeros((2, 5, 3), dtype=np.float32)
    expected[0, :2] = [[0, 1, 2], [2, 1, 0]]
    expected[1, :1] = [[0, 2, 1]]
    actual = expected.copy()
    actual[0, 1] = [0, 1, 2]
    found = agreement({"y": expected}, {"y": actual}, "softmax")
    assert (found.rows, found.label_agreement) == (2, pytest.approx(2 / 3))
    best = [np.exp(values) / np.exp(values).sum() for values in ([2, 1, 0], [0, 1, 2])]
    assert found.max_difference == pytest.approx(np.abs(best[0] - best[1]).max())


def test_what_has_neither_labels_nor_vectors_is_judged_by_its_numbers() -> None:
    tolerance = Tolerance(max_difference=0.5)
    assert Agreement(1, 0.5, label_agreement=None, cosine=None).is_within(tolerance)
    assert not Agreement(1, 0.75, label_agreement=None, cosine=None).is_within(tolerance)
