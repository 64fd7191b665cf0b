"""How far smoke outputs may be off on another machine: as far as scores, by the size of the outputs."""

import numpy as np
import pytest

from pipelines.packing.proof.differences import choose_smoke_tolerance


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
