"""Nothing grows with the number of batches, also when some of them fail."""

from pathlib import Path

import pytest

from tests.bad_rows.soak import soak
from tests.faults.counts import full_or


@pytest.mark.beam
@pytest.mark.slow
def test_memory_handles_and_threads_stay_flat(tmp_path: Path) -> None:
    """A short run is mostly start-up and tells less: it may grow ten times as much."""
    grown = soak(tmp_path, full_or(1_000, 10_000))
    print(grown)
    assert grown["megabytes_per_1000_batches"] < full_or(10.0, 1.0)
    assert grown["handles_end"] <= grown["handles_quarter"] + 4
    assert grown["threads_end"] <= grown["threads_quarter"] + 4
