"""Rows with NaN or infinity have no score, whatever shape their inputs have."""

import numpy as np
import pytest
import torch
from torch import nn

from model_zoo.engines.nan_guard import NanGuard


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
