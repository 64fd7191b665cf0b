"""How many are allowed, by a number and by a share of all."""

import pytest

from transforms.limits import count_allowed


@pytest.mark.parametrize(
    ("total", "most", "percent", "allowed"),
    [
        (100, 0, 0.0, 0),
        (100, 5, 0.0, 5),
        (100, 5, 7.0, 7),
        (100, 8, 7.0, 8),
        # 7 % of 100 are 7.000000000000001 in floating point, and 0.1 % of 29,000 are 28.999999999999996.
        (100, 0, 7.0, 7),
        (29_000, 0, 0.1, 29),
        (100, 0, 6.99, 6),
        (0, 0, 100.0, 0),
        (3, 0, 100.0, 3),
        (199, 0, 0.5, 0),
        (200, 0, 0.5, 1),
    ],
)
def test_the_larger_of_both_limits_is_allowed(
    total: int, most: int, percent: float, allowed: int
) -> None:
    assert count_allowed(total, most, percent) == allowed


def test_of_a_large_run_no_row_more_is_allowed_by_rounding() -> None:
    assert count_allowed(999_999_999, 0, 0.0000001) == 0
