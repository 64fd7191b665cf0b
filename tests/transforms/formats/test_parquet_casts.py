"""Columns in the types of a run: what its type cannot hold costs its row, in lists and among moments too."""

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from transforms.formats.parquet_casts import cast_column, lacks_fixed_lists

FLOATS = pa.list_(pa.float32())


def cast(column: pa.Array, dtype: pa.DataType) -> tuple[list[Any], dict[int, str]]:
    found, reasons = cast_column(column, pa.field("a", dtype))
    assert found.type == dtype
    return found.to_pylist(), {row: str(reason) for row, reason in reasons.items()}


def test_a_list_with_a_number_that_does_not_fit_costs_its_row() -> None:
    column = pa.array([[1.0, 1e300], [2.0], None, [np.inf], [-1e39, None]])
    found, reasons = cast(column, FLOATS)
    assert found == [None, [2.0], None, [np.inf], None]
    why = "column 'a': a double that does not fit float"
    assert reasons == {0: why, 4: why}


def test_so_does_one_further_down() -> None:
    column = pa.array([[[1.0], [2.0]], [], [[], [1e300]]])
    found, reasons = cast(column, pa.list_(FLOATS))
    assert found == [[[1.0], [2.0]], [], None]
    assert list(reasons) == [2]


@pytest.mark.parametrize(
    "dtype", [pa.large_list(pa.float32()), pa.list_(pa.float64(), 2), FLOATS], ids=str
)
def test_lists_of_every_form_become_lists(dtype: pa.DataType) -> None:
    column = pa.array([[1.0, 2.0], None, [3.0, 4.0]], dtype)
    assert cast(column.slice(1), FLOATS) == ([None, [3.0, 4.0]], {})


def test_moments_that_another_unit_has_no_number_for_cost_their_rows() -> None:
    column = pa.array([0, 2**40, None, -(2**40)], pa.timestamp("s"))
    found, reasons = cast(column, pa.timestamp("ns"))
    assert (found[0].value if hasattr(found[0], "value") else 0, found[1:]) == (0, [None] * 3)
    assert list(reasons) == [1, 3]
    digits = pa.array([1_000, 1_001], pa.timestamp("ns", "UTC"))
    found, reasons = cast(digits, pa.timestamp("us", "UTC"))
    assert list(reasons) == [1]


def test_moments_of_another_zone_are_the_same() -> None:
    column = pa.array([0], pa.timestamp("s", "Asia/Tokyo"))
    found, reasons = cast_column(column, pa.field("a", pa.timestamp("us", "UTC")))
    assert (found.cast(pa.int64()).to_pylist(), reasons) == ([0], {})


def test_moments_in_a_dictionary() -> None:
    column = pa.array([0, 1, 0], pa.timestamp("s")).dictionary_encode()
    found, reasons = cast_column(column, pa.field("a", pa.timestamp("us")))
    assert (found.cast(pa.int64()).to_pylist(), reasons) == ([0, 10**6, 0], {})


def test_a_date_with_a_time_costs_its_row() -> None:
    column = pa.array([86_400_000, 1], pa.int64()).cast(pa.date64(), safe=False)
    assert list(cast(column, pa.date32())[1]) == [1]


def test_decimals_of_fewer_digits() -> None:
    column = pa.array(["1.5", None]).cast(pa.decimal32(5, 1))
    found, reasons = cast(column, pa.decimal128(12, 2))
    assert [None if value is None else float(value) for value in found] == [1.5, None]
    assert reasons == {}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_timestamp_is_a_date_at_midnight_alone(unit: str) -> None:
    """Before 1970, too, where a day is cut off towards another one."""
    moments = [
        dt.datetime(2020, 2, 29),
        dt.datetime(2020, 2, 29, 0, 0, 1),
        None,
        dt.datetime(1960, 1, 1),
        dt.datetime(1960, 1, 1, 23, 59, 59),
    ]
    column = pa.array(moments, pa.timestamp(unit))
    dates, reasons = cast_column(column, pa.field("born", pa.date32()))
    assert dates.to_pylist() == [dt.date(2020, 2, 29), None, None, dt.date(1960, 1, 1), None]
    assert sorted(reasons) == [1, 4]
    assert str(reasons[1]) == f"column 'born': a timestamp[{unit}] that does not fit date32[day]"


@pytest.mark.parametrize(
    ("values", "given", "wanted"),
    [
        ([["a", None], None, []], pa.large_string(), pa.string()),
        ([[1, None], None, []], pa.int8(), pa.int64()),
        ([[True], None, [None]], pa.bool_(), pa.int8()),
    ],
)
def test_lists_of_what_cannot_overflow_come_out_whole(
    values: list[Any], given: pa.DataType, wanted: pa.DataType
) -> None:
    column = pa.array(values, pa.list_(given))
    assert cast(column, pa.list_(wanted)) == (values, {})


PAIRS = pa.list_(pa.int64(), 2)


def test_where_all_lists_of_a_fixed_size_are_missing_all_rows_are_bad() -> None:
    """Readers of Parquet refuse a file with one, whatever type its shard has for it."""
    for wanted in (PAIRS, pa.struct([("x", PAIRS)])):
        found, reasons = cast(pa.nulls(2), wanted)
        assert list(reasons) == [0, 1]
        assert "is missing or has another size" in reasons[0]
    inside = pa.array([[None], None, []], pa.list_(pa.null()))
    found, reasons = cast(inside, pa.list_(PAIRS))
    assert found[1:] == [None, []]
    assert list(reasons) == [0]


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (PAIRS, [[1, 2], None, [3, 4]]),
        (pa.list_(PAIRS), [[[1, 2]], [[1, 2], None], None]),
        (pa.list_(PAIRS, 1), [[[1, 2]], [None], [[3, 4]]]),
        (pa.struct([("n", pa.int8()), ("x", PAIRS)]), [{"n": 1, "x": [1, 2]}, {"n": 2, "x": None}]),
        (pa.map_(pa.string(), PAIRS), [[("a", [1, 2])], [("b", None)], None]),
    ],
    ids=str,
)
def test_a_missing_list_of_a_fixed_size_is_found_wherever_it_is(
    dtype: pa.DataType, values: list[Any]
) -> None:
    column = pa.array(values, dtype)
    assert lacks_fixed_lists(column)
    assert not lacks_fixed_lists(column.slice(0, 1))
    found, reasons = cast(column, dtype)
    assert found == [value if row != 1 else None for row, value in enumerate(values)]
    assert list(reasons) == [1]


TENSORS = pa.fixed_shape_tensor(pa.int64(), (2,))


def test_a_missing_tensor_is_such_a_list() -> None:
    stored = pa.array([[1, 2], None, [3, 4]], PAIRS)
    tensors = pa.ExtensionArray.from_storage(TENSORS, stored)
    structs = pa.StructArray.from_arrays([tensors], ["x"])
    # As Arrow reads them from Parquet where it does not know of tensors, and where there is none.
    lists = stored.cast(pa.list_(pa.int64()))
    in_structs = pa.StructArray.from_arrays([lists], ["x"])
    for column in (tensors, structs):
        assert lacks_fixed_lists(column)
    for column, dtype in (
        (tensors, TENSORS),
        (lists, TENSORS),
        (structs, structs.type),
        (in_structs, structs.type),
    ):
        found, reasons = cast_column(column, pa.field("a", dtype))
        assert found.type == dtype
        assert list(reasons) == [1]
        assert found.is_null().to_pylist() == [False, True, False]
        assert (
            found.take([0, 2]).to_pylist()
            == (structs if dtype == structs.type else tensors).take([0, 2]).to_pylist()
        )
    assert list(cast_column(pa.nulls(2), pa.field("a", TENSORS)).reasons) == [0, 1]


def test_numbers_in_a_dictionary_may_overflow() -> None:
    column = pa.array([1.5, 1e300, None, 1.5]).dictionary_encode()
    found, reasons = cast(column, pa.float32())
    assert found == [1.5, None, None, 1.5]
    assert list(reasons) == [1]
