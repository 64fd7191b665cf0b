"""A limit that is told as a number and in percent."""

import math

# 7 % of 100 rows are 7.000000000000001 in floating point, and must allow 7.
_ROUNDING = 1e-9


def count_allowed(total: int, most: int, most_percent: float) -> int:
    """Return the larger of two limits.

    Args:
        total: how many there are.
        most: so many are allowed, however few there are.
        most_percent: so many of 100 are allowed.
    """
    by_percent = total * most_percent / 100
    return max(most, math.floor(by_percent + _ROUNDING))
