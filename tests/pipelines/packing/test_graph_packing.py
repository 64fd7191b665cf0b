"""How far a graph's smoke outputs may be off on another machine: as far as its scores, by the size of the outputs."""

import numpy as np
import pytest

from pipelines.packing.converters.converted import Converted
from pipelines.packing.graph_packing import _find_smoke_tolerance


@pytest.mark.parametrize(
    ("numbers", "times"),
    [([0.1, -0.2], 1.0), ([1.0], 1.0), ([3.0, -8.0], 8.0), ([], 1.0)],
)
def test_outputs_below_1_are_compared_as_they_are(numbers: list[float], times: float) -> None:
    converted = Converted(graph=None, dtypes={}, native=dict, library="of a test")
    single = np.array(numbers, dtype=np.float32)
    found = _find_smoke_tolerance({"zeros": np.zeros(2, np.float32), "out": single}, converted)
    assert found == pytest.approx(1e-5 * times)
    half = _find_smoke_tolerance({"out": single.astype(np.float16)}, converted)
    assert half == pytest.approx(4e-3 * times)
