"""Rows with NaN or infinity have no score, whatever shape their inputs have."""

import numpy as np
import pytest
import torch
from torch import nn

from model_zoo.engines.nan_guard import LARGEST_SQUARE, Limit, NanGuard


class Ones(nn.Module):
    """Scores every row with 1, as a network of integers might."""

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        rows = len(next(iter(inputs.values())))
        return {"y": torch.ones(rows, 2), "n": torch.ones(rows, dtype=torch.int64)}


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (3, 2, 2)])
def test_rows_that_are_not_finite_and_no_others_have_no_score(shape: tuple[int, ...]) -> None:
    x = torch.ones(6, *shape)
    x.view(6, -1)[1, -1] = torch.nan
    x.view(6, -1)[4, 0] = -torch.inf
    # Finite, though the sum of its numbers is not.
    x[5] = 3e38
    outputs = NanGuard(Ones())(x=x, count=torch.arange(6))
    expected = np.ones((6, 2), np.float32)
    expected[[1, 4]] = np.nan
    np.testing.assert_array_equal(outputs["y"].numpy(), expected)
    assert outputs["n"].tolist() == [1] * 6


def test_a_mini_batch_of_finite_rows_keeps_its_scores() -> None:
    assert NanGuard(Ones())(x=torch.zeros(3, 2))["y"].tolist() == [[1.0, 1.0]] * 3


def test_a_row_whose_square_overflows_has_no_score_where_that_is_asked_for() -> None:
    x = torch.ones(6, 2)
    x[0] = 1.8e19
    x[2, 1] = 1.9e19
    # Their sum is 0, and so would be that of their products.
    x[4] = torch.tensor([3e38, -3e38])
    outputs = NanGuard(Ones(), {"x": Limit(LARGEST_SQUARE)})(x=x)
    assert outputs["y"].isnan()[:, 0].tolist() == [False, False, True, False, True, False]
    column = NanGuard(Ones(), {"x": Limit(LARGEST_SQUARE)})(x=x[:, 1])
    assert column["y"].isnan()[:, 0].tolist() == [False, False, True, False, True, False]


def test_a_number_of_64_bits_is_as_large_beside_nan_as_alone() -> None:
    guard = NanGuard(Ones(), {"x": Limit(LARGEST_SQUARE)})
    x = torch.tensor([[1.0], [1e20], [torch.nan]], dtype=torch.float64)
    assert guard(x=x[:2])["y"].isnan()[:, 0].tolist() == [False, True]
    assert guard(x=x)["y"].isnan()[:, 0].tolist() == [False, True, True]


class Labels(nn.Module):
    """Gives an integer for every row."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"n": torch.ones(len(x), dtype=torch.int64)}


def test_a_row_that_no_output_can_say_nan_of_is_an_error() -> None:
    guard = NanGuard(Labels())
    assert guard(x=torch.zeros(3, 2))["n"].tolist() == [1] * 3
    with pytest.raises(ValueError, match="an input is NaN"):
        guard(x=torch.tensor([[0.0, 1.0], [torch.nan, 2.0]]))


ODD = torch.tensor([[0.0, 1.0], [torch.nan, 2.0], [3.0, -torch.inf], [3e38, 0.0]])


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"x": Limit(takes_nan=True)}, [False, False, True, False]),
        ({"x": Limit(LARGEST_SQUARE, takes_nan=True)}, [False, False, True, True]),
        ({"x": Limit(largest=None)}, [False, True, False, False]),
        # Nothing is made of it.
        ({}, [False, False, False, False]),
    ],
)
def test_what_a_network_computes_with_keeps_its_score(
    limits: dict[str, Limit], expected: list[bool]
) -> None:
    guard = NanGuard(Ones(), limits)
    assert guard(x=ODD)["y"].isnan()[:, 0].tolist() == expected
    stacked_columns = ODD.T.contiguous().T
    assert guard(x=stacked_columns)["y"].isnan()[:, 0].tolist() == expected
