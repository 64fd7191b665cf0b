"""What is known of values of which nothing, or one value, is told."""

import pyarrow as pa
import pytest

from transforms.bounds import Bounds, make_bounds_of


def test_of_what_nobody_tells_anything_may_be() -> None:
    nothing = Bounds()
    assert (nothing.least, nothing.most) == (None, None)
    assert nothing.may_be_null
    assert nothing.may_be_value
    assert nothing.may_be_nan


@pytest.mark.parametrize(
    ("value", "may_be_nan"),
    [(pa.scalar(1), False), (pa.scalar("a"), False), (pa.scalar(1.5), True)],
)
def test_one_value_of_all_rows_is_the_least_and_the_most(
    value: pa.Scalar, may_be_nan: bool
) -> None:
    bounds = make_bounds_of(value)
    assert (bounds.least, bounds.most) == (value, value)
    assert not bounds.may_be_null
    assert bounds.may_be_value
    assert bounds.may_be_nan is may_be_nan


def test_where_no_row_has_a_value_all_are_null() -> None:
    bounds = make_bounds_of(pa.scalar(None, pa.int64()))
    assert bounds.may_be_null
    assert not bounds.may_be_value
