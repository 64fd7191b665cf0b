"""A filter that is true of a row is never foreseen to be false of all: against the rows themselves."""

import datetime as dt
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from transforms.bounds import Bounds, make_bounds_of
from transforms.where import where_mask
from transforms.where_bounds import may_pass

NAN = float("nan")


def bounds_of(values: list[Any], dtype: pa.DataType) -> Bounds:
    """Return what a Parquet file's statistics say of a column: of NaN nothing."""
    column = pa.array(values, dtype)
    present = column.drop_null()
    if pa.types.is_floating(dtype):
        present = present.filter(pc.invert(pc.is_nan(present)))
    least = most = None
    if len(present):
        least, most = pc.min_max(present).values()
    return Bounds(least, most, column.null_count > 0, column.null_count < len(column))


@pytest.mark.parametrize(
    ("where", "values", "expected"),
    [
        ("x > 9", [1, 9], False),
        ("x >= 9", [1, 9], True),
        ("x < 1", [1, 9], False),
        ("x <= 1", [1, 9], True),
        ("x == 10", [1, 9], False),
        ("x == 4", [1, 9], True),  # nobody knows
        ("x != 7", [7, 7], False),
        ("x != 7", [7, 8], True),
        ("x != 7", [7, None], False),
        ("9 < x", [1, 9], False),
        ("9 <= x", [1, 9], True),
        ("-1 >= x", [1, 9], False),
        ("x in [10, 11]", [1, 9], False),
        ("x in [0, 5]", [1, 9], True),
        ("x not in [7]", [7, 7], False),
        ("x not in [7]", [7, None], False),
        ("x not in [7, 8]", [7, 8], True),
        ("x is None", [1, 9], False),
        ("x is None", [1, None], True),
        ("x is not None", [None, None], False),
        ("x > 0", [None, None], False),
        ("not x > 0", [None, None], False),
        ("not x > 0", [1, 9], False),
        ("not x > 5", [1, 9], True),
        ("x > 9 and y > 0", [1, 9], False),
        ("x > 9 or y > 0", [1, 9], True),  # of y nothing is known
        ("x > 9 or x < 1", [1, 9], False),
        ("not (x > 9 or y > 0)", [1, 9], True),
        ("x > 8.5", [1, 8], False),
        ("x > 1e300", [1, 9], False),
        ("x < 99999999999999999999", [1, 9], True),
        ("x == 18446744073709551615", [1, 9], False),
        ("x == 99999999999999999999", [1, 9], True),  # refused where it is compared
        ("x < y", [1, 9], True),
        ("True", [1, 9], True),
        ("False", [1, 9], False),
        ("x > 9 or x in " + str(list(range(100, 3_000))), [1, 9], False),
        (" or ".join(f"x == {number}" for number in range(10, 99)), [1, 9], False),
    ],
)
def test_what_bounds_tell(where: str, values: list[int | None], expected: bool) -> None:
    bounds = {"x": bounds_of(values, pa.int64())}
    assert may_pass(where, bounds) == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("x > 9", False),
        ("not x < 9", True),  # true of NaN
        ("x != 5", True),
        ("not x == 5", True),
        ("not x != 5", True),
        ("x in [10.0]", False),
        ("x not in [5.0]", True),
    ],
)
def test_nan_is_in_no_statistics(where: str, expected: bool) -> None:
    values = [5.0, NAN, 5.0]
    assert may_pass(where, {"x": bounds_of(values, pa.float64())}) == expected
    mask = where_mask(where, {"x": pa.array(values)}, 3)
    # Foreseen, or not known.
    assert expected or not mask.any()


@pytest.mark.parametrize("where", ["x > 9", "x == 1", "x in [1.0]", "not x > 9"])
@pytest.mark.parametrize(("least", "most"), [(NAN, 5.0), (1.0, NAN), (NAN, NAN)])
def test_a_bound_that_is_nan_tells_nothing(where: str, least: float, most: float) -> None:
    """As old writers left it, who took NaN for a number."""
    bounds = Bounds(pa.scalar(least), pa.scalar(most))
    assert may_pass(where, {"x": bounds})


def test_one_value_of_a_folder() -> None:
    day = pa.scalar(dt.date(2026, 1, 5), pa.date32())
    bounds = {"dt": make_bounds_of(day), "region": make_bounds_of(pa.scalar(None, pa.string()))}
    assert may_pass("dt == '2026-01-05'", bounds)
    assert may_pass("dt in ['2026-01-01', '2026-01-05']", bounds)
    assert not may_pass("dt >= '2026-01-06'", bounds)
    assert not may_pass("dt not in ['2026-01-05']", bounds)
    assert may_pass("region is None", bounds)
    assert not may_pass("region == 'north'", bounds)
    assert not may_pass("region != 'north'", bounds)


NUMBERS = st.sampled_from([-2, -1, 0, 1, 2, 3])
LEAVES = st.one_of(
    st.tuples(
        st.sampled_from("xyz"), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), NUMBERS
    ).map(lambda parts: f"{parts[0]} {parts[1]} {parts[2]}"),
    st.tuples(NUMBERS, st.sampled_from(["==", "!=", "<", ">="]), st.sampled_from("xyz")).map(
        lambda parts: f"{parts[0]} {parts[1]} {parts[2]}"
    ),
    st.tuples(
        st.sampled_from("xyz"), st.sampled_from(["in", "not in"]), st.lists(NUMBERS, min_size=1)
    ).map(lambda parts: f"{parts[0]} {parts[1]} {parts[2]}"),
    st.tuples(st.sampled_from("xyz"), st.sampled_from(["is", "is not"])).map(
        lambda parts: f"{parts[0]} {parts[1]} None"
    ),
    st.sampled_from(["x < z", "x == z"]),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda each: f"({' and '.join(each)})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda each: f"({' or '.join(each)})"),
        inner.map(lambda text: f"(not {text})"),
    ),
    max_leaves=6,
)
INTEGERS = st.lists(st.one_of(st.none(), NUMBERS), min_size=3, max_size=3)
ODD_FLOATS = st.sampled_from([NAN, -0.0])
FLOATS = st.lists(st.one_of(st.none(), NUMBERS.map(float), ODD_FLOATS), min_size=3, max_size=3)


@settings(deadline=None, max_examples=30)
@given(where=FILTERS, x=INTEGERS, y=FLOATS, z=INTEGERS)
def test_a_filter_that_is_true_of_a_row_is_foreseen(
    where: str, x: list[Any], y: list[Any], z: list[Any]
) -> None:
    types = {"x": pa.int64(), "y": pa.float64(), "z": pa.int32()}
    values = {"x": x, "y": y, "z": z}
    columns = {name: pa.array(values[name], dtype) for name, dtype in types.items()}
    bounds = {name: bounds_of(values[name], dtype) for name, dtype in types.items()}
    if where_mask(where, columns, 3).any():
        assert may_pass(where, bounds), bounds
