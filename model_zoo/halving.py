"""Find the rows that make a call fail, by halving the batch until they are alone.

For what fails on the whole batch at once and does not say on which row: casting scores, a
user's function. A network has ways of its own (`model_zoo/scoring/mini_batches.py`), as its mini-batches stay filled.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from configs.errors import Refusal, RejectedRows

# So many single rows that fail, while nothing has gone through, raise the doubt that it is not the rows.
ALONE_BEFORE_DOUBT = 8


def find_rejected(
    rows: int,
    attempt: Callable[[np.ndarray], Any],
) -> RejectedRows | None:
    """Find the rows that make `attempt` raise, by halving: None when all rows together pass.

    Args:
        rows: number of rows in the batch.
        attempt: called with row positions (int64); raises when one of them is bad.

    Raises:
        Refusal: whatever `attempt` refuses, as that is no matter of a row.
        Exception: the last error of `attempt`, once `ALONE_BEFORE_DOUBT` single rows failed, no call
            ever passed, and as many rows from all over the batch fail too: it is not the rows.
    """
    reasons: dict[int, Exception] = {}
    passed = False
    pending = [np.arange(rows)]
    while pending:
        positions = pending.pop()
        try:
            attempt(positions)
            passed = True
        except Refusal:
            raise
        # Anything: it may be a user's own code that fails.
        except Exception as error:
            if len(positions) > 1:
                middle = len(positions) // 2
                # The first half last: it is taken next, so rows are met in their order.
                pending.append(positions[middle:])
                pending.append(positions[:middle])
                continue

            row = int(positions[0])
            reasons[row] = error
            are_enough = len(reasons) == ALONE_BEFORE_DOUBT
            in_doubt = are_enough and not passed
            if in_doubt and not _any_passes(spread_rows(rows), attempt):
                raise
            # Another row went through, so it is the rows, and no later one raises the doubt again.
            passed = passed or in_doubt
    if not reasons:
        return None
    return RejectedRows(reasons)


def spread_rows(rows: int) -> np.ndarray:
    """Return the positions (int64) of a few rows from all over a batch, the first and the last among them."""
    count = min(rows, ALONE_BEFORE_DOUBT)
    last = rows - 1
    positions = np.linspace(0, last, count, dtype=np.int64)
    return np.unique(positions)


def _any_passes(
    positions: np.ndarray,
    attempt: Callable[[np.ndarray], Any],
) -> bool:
    for position in positions:
        alone = np.array([position])
        try:
            attempt(alone)
        except Refusal:
            raise
        except Exception:  # noqa: BLE001, S112 - the question is whether another row does better
            continue
        return True
    return False
