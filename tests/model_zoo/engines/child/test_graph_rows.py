"""Rows get the dimensions that a graph's inputs have."""

import numpy as np
import pytest

from model_zoo.engines.child.graph_rows import add_columns


@pytest.mark.parametrize(
    ("shape", "rank", "expected"),
    [
        ((4,), 1, (4,)),
        ((4,), 2, (4, 1)),
        ((4, 3), 2, (4, 3)),
        ((4, 3), 3, (4, 1, 3)),
        # What has no such place is left to the library to refuse.
        ((4, 3), 1, (4, 3)),
        ((4,), 3, (4,)),
    ],
)
def test_a_column_is_as_wide_as_the_graph_has_it(
    shape: tuple[int, ...], rank: int, expected: tuple[int, ...]
) -> None:
    array = np.zeros(shape, np.float32)
    other = np.zeros(4)
    made = add_columns({"x": array, "y": other}, {"x": rank, "y": 1})
    assert made["x"].shape == expected
    assert made["y"] is other


def test_an_input_that_the_library_has_left_out_is_not_given() -> None:
    assert list(add_columns({"x": np.zeros(4), "unused": np.zeros(4)}, {"x": 1})) == ["x"]
