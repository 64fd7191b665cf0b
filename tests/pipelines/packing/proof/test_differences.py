"""How far scores are from those expected, and smoke outputs from those of another machine, by the size of the numbers."""

import numpy as np
import pytest

from pipelines.packing.proof.differences import (
    choose_smoke_tolerance,
    choose_tolerance,
    find_difference,
)


@pytest.mark.parametrize(
    ("numbers", "times"),
    [
        ([0.1, -0.2], 1.0),
        ([1.0], 1.0),
        ([3.0, -8.0], 8.0),
        ([3.0, np.nan, -np.inf], 3.0),
        ([], 1.0),
    ],
)
def test_outputs_below_1_are_compared_as_they_are(numbers: list[float], times: float) -> None:
    single = np.array(numbers, dtype=np.float32)
    found = choose_smoke_tolerance(1e-5, {"zeros": np.zeros(2, np.float32), "out": single})
    assert found == pytest.approx(1e-5 * times)


@pytest.mark.parametrize(
    ("scored", "expected", "difference"),
    [
        # Below 1 as it is, above 1 by the largest number that is expected.
        ([0.02], [0.01], 0.01),
        ([1.5], [1.0], 0.5),
        ([3.0, 5.0], [2.0, 4.0], 0.25),
        ([3.0, -5.0], [2.0, -4.0], 0.25),
        ([9.0, np.inf], [8.0, np.inf], 0.125),
        ([], [], 0.0),
        ([1.0, np.nan], [1.0, np.nan], 0.0),
        ([np.inf], [-np.inf], np.inf),
        ([np.nan], [1.0], np.inf),
        ([1.0], [np.nan], np.inf),
    ],
)
def test_a_difference_is_relative_to_what_is_expected(
    scored: list[float], expected: list[float], difference: float
) -> None:
    found = find_difference(np.array(scored), np.array(expected))
    assert found == pytest.approx(difference, rel=1e-12)


@pytest.mark.parametrize(
    ("dtypes", "most"),
    [
        (["torch.float32"], 1e-5),
        (["torch.float32", "torch.float16"], 4e-3),
        ([np.dtype("float16")], 4e-3),
        (["torch.bfloat16"], 1e-5),
        ([], 1e-5),
    ],
)
def test_only_halves_may_be_far_apart(dtypes: list[object], most: float) -> None:
    assert choose_tolerance(dtypes) == most
