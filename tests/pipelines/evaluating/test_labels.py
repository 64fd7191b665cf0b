"""Labels are compared as what they mean, and never as what they could be read as."""

from typing import Any

import pyarrow as pa
import pytest

from configs.errors import InputError
from pipelines.evaluating.labels import order_labels, refuse_strangers, to_scores, to_type_of


def column(values: list[object], dtype: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, dtype)])


@pytest.mark.parametrize(
    ("labels", "predicted", "expected"),
    [
        (column([1.0, 0.0], pa.float64()), pa.int32(), [1, 0]),
        (column([True, False], pa.bool_()), pa.int64(), [1, 0]),
        (column([1, 0], pa.int8()), pa.bool_(), [True, False]),
        # No class: it stays what it is.
        (column([0.5, 1.0], pa.float64()), pa.int32(), [0.5, 1.0]),
        # A text that could be read as a number is a text, and its zeros are part of it.
        (column(["01", "1"], pa.string()), pa.int64(), ["01", "1"]),
        (column([1, 0], pa.int64()), pa.string(), [1, 0]),
    ],
    ids=str,
)
def test_labels_become_the_predictions_type_where_both_are_numbers(
    labels: pa.ChunkedArray, predicted: pa.DataType, expected: list[object]
) -> None:
    actual = to_type_of(labels, predicted)
    assert actual.to_pylist() == expected
    assert list(map(type, actual.to_pylist())) == list(map(type, expected))


def manifest(job: list[str] | None, model: list[str] | None) -> dict[str, Any]:
    return {"job": {"postprocess": {"labels": job}}, "model": {"labels": model}}


@pytest.mark.parametrize(
    ("classes", "job", "model", "expected"),
    [
        (["b", "a"], ["a", "b"], None, ["b", "a"]),
        (None, ["b", "a"], ["a", "b"], ["b", "a"]),
        (None, None, ["c", "b", "a"], ["c", "b", "a"]),
        # Of labels that the model does not know nobody knows an order.
        (None, None, ["b"], ["a", "b"]),
        (None, None, None, ["a", "b"]),
    ],
)
def test_labels_are_in_the_order_of_whoever_knows_one(
    classes: list[str] | None,
    job: list[str] | None,
    model: list[str] | None,
    expected: list[str],
) -> None:
    assert order_labels(["b"], ["a"], classes, manifest(job, model)) == expected


def test_labels_are_strangers_where_none_is_predicted_or_known() -> None:
    refuse_strangers(["a", "b"], ["b"], [], "f")
    refuse_strangers(["a"], ["b"], ["a"], "f")
    with pytest.raises(
        InputError, match=r"f: no label of the one \(2 different\) .* \(1 different\)"
    ):
        refuse_strangers(["1", "2"], ["b", "b"], ["c"], "f")


DOUBLES = pa.float64()
LISTS = pa.list_(DOUBLES)


@pytest.mark.parametrize(
    ("probabilities", "labels", "expected"),
    [
        (column([0.1, 0.9], DOUBLES), 2, [0.1, 0.9]),
        (column([0.1, 0.9], DOUBLES), 3, None),
        (column([0.1, None], DOUBLES), 2, None),
        (column([[0.1, 0.9], [0.5, 0.5]], LISTS), 2, [[0.1, 0.9], [0.5, 0.5]]),
        (column([[0.1, 0.8, 0.1]], LISTS), 3, [[0.1, 0.8, 0.1]]),
        (None, 2, None),
    ],
    ids=str,
)
def test_probabilities_are_of_the_second_of_two_or_of_all(
    probabilities: pa.ChunkedArray | None, labels: int, expected: Any
) -> None:
    scores = to_scores(probabilities, labels)
    assert (None if scores is None else scores.tolist()) == expected
