"""Labels are compared as what they mean, and never as what they could be read as."""

import pyarrow as pa
import pytest

from pipelines.evaluating.labels import to_type_of


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
