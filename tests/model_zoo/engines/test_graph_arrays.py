"""Arrays as a graph takes them, and outputs as a card says them."""

import numpy as np
import pytest
import torch

from model_zoo.engines.graph_arrays import lay_out, shape_rows


@pytest.mark.parametrize(
    ("shape", "rank", "expected"),
    [((4,), 1, (4,)), ((4,), 2, (4, 1)), ((4, 3), 2, (4, 3)), ((4, 3), 3, (4, 1, 3))],
)
def test_a_column_is_as_wide_as_the_graph_has_it(
    shape: tuple[int, ...], rank: int, expected: tuple[int, ...]
) -> None:
    assert lay_out(torch.zeros(shape), rank).shape == expected


def test_numbers_stand_side_by_side() -> None:
    view = torch.arange(6.0).reshape(2, 3).T
    laid_out = lay_out(view, 2)
    assert laid_out.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(laid_out, view.numpy())


@pytest.mark.parametrize(
    ("given", "shape", "expected"),
    [
        ((4, 1), (), (4,)),
        ((4, 1), (1,), (4, 1)),
        ((4, 2), (), (4, 2)),
        ((4,), (), (4,)),
        ((4, 1, 1), (), (4, 1, 1)),
    ],
)
def test_one_number_a_row_is_a_column(
    given: tuple[int, ...], shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert shape_rows(np.zeros(given), shape).shape == expected
