"""The rows that an engine calibrates with: the first that float32 scores, in mini-batches, and no more than it asks for."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines.tuning.calibration import make_mini_batches
from pipelines.tuning.reference import Reference

CARD: Any = SimpleNamespace(mask=None)
# Of two parts, 0 to 4 and 5 to 9; the rows 0, 3 and 9 have no score.
PARTS = [{"x": np.arange(5.0)}, {"x": np.arange(5.0, 10.0)}]
IS_GOOD = np.array([n not in (0, 3, 9) for n in range(10)])


@pytest.mark.parametrize(
    ("batch_rows", "most", "batches"),
    [
        (2, 99, [[1, 2], [4], [5, 6], [7, 8]]),
        (2, 5, [[1, 2], [4], [5, 6]]),
        (2, 4, [[1, 2], [4], [5]]),
        (2, 3, [[1, 2], [4]]),
        (3, 3, [[1, 2, 4]]),
        (9, 99, [[1, 2, 4], [5, 6, 7, 8]]),
        (9, 1, [[1]]),
        (9, 0, []),
    ],
)
def test_so_many_of_the_first_good_rows_come_in_mini_batches(
    batch_rows: int, most: int, batches: list[list[int]]
) -> None:
    reference = Reference({}, IS_GOOD, "none", 0.5)
    found = make_mini_batches(CARD, PARTS, reference, batch_rows, most)
    assert [batch["x"].tolist() for batch in found] == batches
