"""Numbers of a job and integers of a quantised model, one for the other; and how many rows a model takes."""

from typing import Any

import numpy as np
import pytest

from model_zoo.engines.child.tflite_model import (
    Model,
    Place,
    _fill_up,
    _find_fixed_rows,
    _list_places,
)
from tests.support.tflite_models import linear_model

# One step is a quarter, and 0 is the integer 3.
SCALE, ZERO = 0.25, 3


def place(dtype: str, scale: float = 0.0, zero_point: int = 0) -> Place:
    return Place("x", 0, (2,), np.dtype(dtype), scale, zero_point, is_free=True)


def test_numbers_become_the_nearest_integers_and_come_back() -> None:
    quantised = place("int8", SCALE, ZERO)
    numbers = np.array([[0.0, 0.25], [-1.0, 0.3]], np.float32)
    integers = quantised.to_model(numbers)
    assert integers.dtype == np.int8
    assert integers.tolist() == [[3, 4], [-1, 4]]
    back = quantised.from_model(integers)
    assert back.dtype == np.float32
    assert back.tolist() == [[0.0, 0.25], [-1.0, 0.25]]


def test_what_is_beyond_the_integers_is_the_last_of_them() -> None:
    integers = place("int8", SCALE, ZERO).to_model(np.array([[1e9, -1e9]]))
    assert integers.tolist() == [[127, -128]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("of", [place("int8", SCALE, ZERO), place("float32")])
def test_what_is_not_finite_is_an_error(of: Place, value: float) -> None:
    """No integer stands for it, and the library's largest number of several leaves NaN out."""
    array = np.array([[1.0, value]], np.float32)
    with pytest.raises(ValueError, match="NaN or infinite"):
        of.to_model(array)
    assert of.to_model(array[:, :1]).shape == (1, 1)


def test_a_model_of_floats_gives_copies_of_them() -> None:
    array = np.ones((1, 2), np.float32)
    given = place("float32").from_model(array)
    array[:] = 5
    assert given.tolist() == [[1.0, 1.0]]


def detail(shape: list[int], signature: list[int], scales: Any = (), **fields: Any) -> Any:
    return {
        "name": "serving_default_x:0",
        "index": 7,
        "shape": np.array(shape),
        "shape_signature": np.array(signature),
        "dtype": np.int8,
        "quantization_parameters": {"scales": scales, "zero_points": [ZERO] * len(scales)},
        **fields,
    }


@pytest.mark.parametrize(
    ("scales", "quantised"), [([], False), ([SCALE], True), ([SCALE, SCALE], False)]
)
def test_a_place_is_quantised_by_one_scale(scales: list[float], quantised: bool) -> None:
    (found,) = _list_places([detail([1, 2], [-1, 2], scales)])
    assert (found.name, found.index, found.shape) == ("x", 7, (2,))
    assert found.is_quantised is quantised
    assert (found.scale, found.zero_point) == ((SCALE, ZERO) if quantised else (0.0, 0))


@pytest.mark.parametrize(
    ("shape", "signature", "is_free"),
    [([1, 2], [-1, 2], True), ([4, 2], [4, 2], False), ([1], [-1], True), ([], [], False)],
)
def test_rows_are_free_where_the_signature_says_so(
    shape: list[int], signature: list[int], is_free: bool
) -> None:
    (found,) = _list_places([detail(shape, signature)])
    assert found.is_free is is_free


class Interpreter:
    """Stands in for LiteRT's, whose files are seldom of such shapes."""

    def __init__(self, *details: Any) -> None:
        self._details = details

    def get_input_details(self) -> Any:
        return list(self._details)


FREE = detail([1, 2], [-1, 2])
ONE = detail([1, 2], [1, 2])
FOUR = detail([4, 2], [4, 2])


@pytest.mark.parametrize(
    ("details", "rows"),
    [([FREE], 0), ([FREE, FREE], 0), ([FOUR], 4), ([FOUR, FOUR], 4), ([ONE], 1), ([FREE, ONE], 1)],
)
def test_a_model_takes_any_number_of_rows_or_always_as_many(details: Any, rows: int) -> None:
    assert _find_fixed_rows(Interpreter(*details)) == rows


@pytest.mark.parametrize(
    ("details", "why"),
    [
        ([], "an input without rows"),
        ([detail([], [])], "an input without rows"),
        ([FOUR, detail([], [])], "an input without rows"),
        ([FOUR, ONE], "different numbers of rows"),
        ([FREE, FOUR], "different numbers of rows"),
        ([detail([0, 2], [0, 2])], "different numbers of rows"),
    ],
)
def test_inputs_that_do_not_agree_are_refused(details: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        _find_fixed_rows(Interpreter(*details))


@pytest.mark.parametrize(("rows", "expected"), [(2, [0, 1]), (4, [0, 1, 1, 1])])
def test_the_last_row_fills_up(rows: int, expected: list[int]) -> None:
    assert _fill_up(np.arange(2), rows).tolist() == expected


@pytest.mark.parametrize("fixed_rows", [0, 2])
def test_a_file_computes_any_number_of_rows(fixed_rows: int) -> None:
    pytest.importorskip("ai_edge_litert")
    weights = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
    model = Model(linear_model(weights, fixed_rows))
    for rows in (3, 3, 1):
        x = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
        np.testing.assert_allclose(model({"x": x})["logit"], x @ weights, rtol=1e-6)


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0TFL2" + bytes(100)])
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(ValueError, match=r"no \.tflite file"):
        Model(content)
