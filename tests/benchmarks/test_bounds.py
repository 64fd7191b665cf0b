"""The table of what a row costs at least says how many times as fast any pipeline could be."""

from pathlib import Path

import pytest

from model_zoo.engines.settings import Settings
from tests.benchmarks.bounds import Bound, Spent, describe, measure_bound
from tests.benchmarks.precisions import Measurement
from tests.support.long import long


def test_a_ratio_is_the_loop_s_cores_by_the_least() -> None:
    finalists = [
        Measurement(Settings(8), seconds=[3.0, 3.0, 3.0]),
        Measurement(Settings(8, "bfloat16", engine="openvino"), seconds=[1.0, 9.0, 1.0]),
    ]
    loops = {"plain": [Spent(4.0, 6.0), Spent(4.0, 6.0), Spent(9.0, 9.0)]}
    bound = Bound(rows=1000, finalists=finalists, preparing=[1.0, 1.0, 5.0], loops=loops)
    assert describe("text", bound, cores_here=2) == [
        "| text | plain | 8,000.0 | 6,000.0 | 1,000.0 | 1,000.0 | openvino bfloat16 | 4.00 | 3.00 | 8.00 |"
    ]


@long
@pytest.mark.slow
def test_a_workload_is_measured(tmp_path: Path) -> None:
    bound = measure_bound("digits", tmp_path, rows=1000, repeats=1)
    assert set(bound.loops) == {"plain", "best"}
    assert bound.preparing[0] > 0
    assert all(one.seconds for one in bound.finalists)
