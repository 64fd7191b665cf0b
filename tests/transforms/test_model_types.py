"""Which types of a shard fit a contract for the model alone."""

import numpy as np
import pyarrow as pa
import pytest

from transforms.formats.column import Column
from transforms.formats.columns import choose_type, takes_type
from transforms.model_types import (
    fits_exactly,
    fits_rounded,
    join_decimals,
    may_be_dates,
    take_finest_unit,
    widens,
)

ZONED = pa.timestamp("us", "UTC")
TAKEN = [
    (pa.list_(pa.float32()), pa.list_(pa.float32())),
    (pa.large_list(pa.float32()), pa.list_(pa.float32())),
    (pa.list_(pa.float32(), 3), pa.list_(pa.float32())),
    (pa.list_(pa.float64(), 3), pa.list_(pa.float32())),
    (pa.large_list(pa.int8()), pa.list_(pa.int64())),
    (pa.list_(pa.list_(pa.float64(), 2)), pa.list_(pa.list_(pa.float32()))),
    (pa.null(), pa.list_(pa.float32())),
    (pa.float16(), pa.float32()),
    (pa.int8(), pa.int64()),
    (pa.uint8(), pa.int16()),
    (pa.uint32(), pa.uint64()),
    (pa.timestamp("ns"), pa.timestamp("us")),
    (pa.timestamp("s", "Asia/Tokyo"), ZONED),
    (pa.date64(), pa.date32()),
    (pa.time32("s"), pa.time64("us")),
    (pa.duration("ms"), pa.duration("us")),
    (pa.decimal128(6, 2), pa.decimal128(12, 2)),
    (pa.decimal128(6, 1), pa.decimal128(12, 2)),
    (pa.decimal32(6, 2), pa.decimal128(6, 2)),
    (pa.decimal256(6, 2), pa.decimal128(6, 2)),
]
REFUSED = [
    (pa.list_(pa.int64()), pa.list_(pa.int32())),
    (pa.list_(pa.int64()), pa.list_(pa.float32())),
    (pa.list_(pa.string()), pa.list_(pa.float32())),
    (pa.list_(pa.float32()), pa.float32()),
    (pa.float32(), pa.list_(pa.float32())),
    (pa.list_(pa.list_(pa.float32())), pa.list_(pa.float32())),
    (pa.timestamp("us"), ZONED),
    (ZONED, pa.timestamp("us")),
    (pa.date32(), pa.timestamp("us")),
    (pa.int64(), pa.timestamp("us")),
    (pa.timestamp("us"), pa.int64()),
    (pa.time32("s"), pa.duration("us")),
    (pa.list_(pa.decimal128(12, 2)), pa.list_(pa.decimal128(6, 2))),
    (pa.float64(), pa.decimal128(12, 2)),
    (pa.int64(), pa.decimal128(38, 0)),
    # Of one width, the largest of the one are none of the other; and a sign is lost.
    (pa.uint32(), pa.int32()),
    (pa.int32(), pa.uint32()),
    (pa.int8(), pa.uint64()),
    (pa.int32(), pa.float64()),
    (pa.float16(), pa.int64()),
]


@pytest.mark.parametrize(("actual", "wanted"), TAKEN, ids=str)
def test_the_same_values_for_the_model(actual: pa.DataType, wanted: pa.DataType) -> None:
    assert takes_type(Column("a", wanted, castable=True), actual)


@pytest.mark.parametrize(("actual", "wanted"), REFUSED, ids=str)
def test_other_values(actual: pa.DataType, wanted: pa.DataType) -> None:
    assert not takes_type(Column("a", wanted, castable=True), actual)
    assert not fits_exactly(actual, wanted)


def test_what_is_carried_keeps_its_type() -> None:
    """Lists and moments reach the steps in any form, and the output in that of the files."""
    for actual, wanted in (
        (pa.list_(pa.float32(), 3), pa.list_(pa.float32())),
        (pa.list_(pa.float64()), pa.list_(pa.float32())),
        (ZONED, pa.timestamp("ns", "Asia/Tokyo")),
        (pa.decimal128(6, 2), pa.decimal128(12, 2)),
    ):
        column = Column("a", wanted, castable=True, carried=True)
        assert takes_type(column, actual)
        assert choose_type(column, [actual]) is None
    assert choose_type(
        Column("a", pa.list_(pa.int8()), castable=True, carried=True), [pa.null()]
    ) == pa.list_(pa.int8())
    assert takes_type(Column("a", pa.int64(), castable=True, carried=True), pa.int32())
    assert not takes_type(Column("a", pa.float32(), castable=True, carried=True), pa.float64())


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (pa.timestamp("us"), [pa.timestamp("s"), pa.timestamp("ns")], pa.timestamp("ns")),
        (pa.timestamp("ns"), [pa.timestamp("s")], pa.timestamp("s")),
        (ZONED, [pa.timestamp("ms", "Asia/Tokyo"), pa.null()], pa.timestamp("ms", "UTC")),
        (pa.timestamp("us"), [pa.null()], pa.timestamp("us")),
        (pa.time64("us"), [pa.time32("s")], pa.time32("s")),
        (pa.time64("us"), [pa.time32("ms"), pa.time64("us")], pa.time64("us")),
        (pa.duration("us"), [pa.duration("ns")], pa.duration("ns")),
        (pa.date32(), [pa.date64()], pa.date32()),
        (pa.timestamp("us"), [pa.dictionary(pa.int8(), pa.timestamp("us"))], pa.timestamp("us")),
    ],
    ids=str,
)
def test_moments_come_out_in_the_finest_unit_that_is_stored(
    wanted: pa.DataType, found: list[pa.DataType], expected: pa.DataType
) -> None:
    assert take_finest_unit(wanted, found) == expected


@pytest.mark.parametrize(
    ("actual", "wanted", "comes_out"),
    [
        (pa.decimal128(12, 2), pa.decimal128(6, 2), pa.decimal128(12, 2)),
        (pa.decimal128(12, 3), pa.decimal128(12, 2), pa.decimal128(13, 3)),
        (pa.decimal128(38, 2), pa.decimal128(6, 4), pa.decimal256(40, 4)),
        (pa.decimal128(37, 2), pa.decimal128(6, 4), pa.decimal256(39, 4)),
        (pa.decimal128(36, 2), pa.decimal128(6, 4), pa.decimal128(38, 4)),
        (pa.decimal128(5, 1), pa.decimal128(6, 2), pa.decimal128(6, 2)),
    ],
    ids=str,
)
def test_decimals_of_other_digits_than_the_samples(
    actual: pa.DataType, wanted: pa.DataType, comes_out: pa.DataType
) -> None:
    """pandas gives a column the digits of that night's largest value, Polars 38."""
    column = Column("a", wanted, castable=True)
    assert takes_type(column, actual)
    assert choose_type(column, [wanted, pa.null(), actual]) == comes_out
    assert takes_type(Column("a", wanted, castable=True, carried=True), actual)
    assert choose_type(Column("a", wanted, castable=True, carried=True), [actual]) is None


def test_decimals_of_more_digits_than_there_are_or_than_a_job_states() -> None:
    wanted = pa.decimal128(6, 2)
    assert not takes_type(Column("a", wanted, castable=True), pa.decimal256(76, 0))
    assert not takes_type(Column("a", wanted, castable=True, stated=True), pa.decimal128(7, 2))


WHOLE = [pa.int8(), pa.int16(), pa.int32(), pa.int64()]
WHOLE += [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
FLOATS = [pa.float16(), pa.float32(), pa.float64()]
NO_NUMBERS = [pa.bool_(), pa.string(), pa.date32(), pa.decimal128(9, 2)]


@pytest.mark.parametrize("actual", [*WHOLE, *FLOATS, *NO_NUMBERS], ids=str)
def test_a_number_widens_to_those_that_numpy_casts_it_to_within_its_kind(
    actual: pa.DataType,
) -> None:
    kinds = [kind for kind in (WHOLE, FLOATS) if actual in kind]
    for wanted in (*WHOLE, *FLOATS, *NO_NUMBERS):
        is_wider = bool(kinds) and wanted in kinds[0] and wanted != actual
        expected = is_wider and np.can_cast(actual.to_pandas_dtype(), wanted.to_pandas_dtype())
        assert widens(actual, wanted) is expected, wanted
        if actual != wanted and not (actual in NO_NUMBERS and wanted in NO_NUMBERS):
            assert fits_exactly(actual, wanted) is expected, wanted


@pytest.mark.parametrize(
    ("digits", "scale", "fits"),
    [
        (6, 2, True),
        (7, 3, True),
        (7, 2, True),
        (6, 3, False),
        (6, 1, False),
        (5, 1, False),
        (5, 2, False),
    ],
)
def test_a_decimal_has_the_digits_of_another_on_both_sides_of_its_point(
    digits: int, scale: int, fits: bool
) -> None:
    assert fits_exactly(pa.decimal128(6, 2), pa.decimal128(digits, scale)) is fits


@pytest.mark.parametrize(
    ("actual", "wanted", "may_be"),
    [
        (pa.timestamp("us"), pa.date32(), True),
        (pa.timestamp("ns"), pa.date64(), True),
        (pa.timestamp("us", "UTC"), pa.date32(), False),
        (pa.timestamp("us"), pa.timestamp("ms"), False),
        (pa.string(), pa.date32(), False),
        (pa.date32(), pa.int32(), False),
    ],
    ids=str,
)
def test_moments_without_a_zone_may_be_dates(
    actual: pa.DataType, wanted: pa.DataType, may_be: bool
) -> None:
    assert may_be_dates(actual, wanted) is may_be


@pytest.mark.parametrize(
    ("actual", "wanted", "fits"),
    [
        (pa.float64(), pa.float32(), True),
        (pa.list_(pa.float64()), pa.list_(pa.float32(), 3), True),
        (pa.float32(), pa.float64(), False),
        (pa.float64(), pa.float16(), False),
        (pa.int64(), pa.float32(), False),
        (pa.list_(pa.float64()), pa.float32(), False),
        (pa.float64(), pa.list_(pa.float32()), False),
    ],
    ids=str,
)
def test_doubles_alone_are_rounded_to_floats(
    actual: pa.DataType, wanted: pa.DataType, fits: bool
) -> None:
    assert fits_rounded(actual, wanted) is fits


@pytest.mark.parametrize(
    ("actual", "wanted", "fits"),
    [
        (pa.timestamp("s"), pa.timestamp("ns"), True),
        (pa.timestamp("s", "UTC"), pa.timestamp("ns", "Europe/Berlin"), True),
        (pa.timestamp("s", "UTC"), pa.timestamp("s"), False),
        (pa.timestamp("s"), pa.timestamp("s", "UTC"), False),
        (pa.date32(), pa.date64(), True),
        (pa.time32("s"), pa.time64("us"), True),
        (pa.duration("s"), pa.duration("us"), True),
        (pa.duration("s"), pa.time64("us"), False),
        (pa.date32(), pa.timestamp("s"), False),
    ],
    ids=str,
)
def test_a_moment_is_the_same_in_any_unit_and_zone(
    actual: pa.DataType, wanted: pa.DataType, fits: bool
) -> None:
    assert fits_exactly(actual, wanted) is fits


@pytest.mark.parametrize(
    ("scale", "joined"),
    [
        (36, pa.decimal128(38, 36)),
        (37, pa.decimal256(39, 37)),
        (74, pa.decimal256(76, 74)),
        (75, None),
    ],
)
def test_joined_decimals_are_as_narrow_as_can_be_and_have_76_digits_at_most(
    scale: int, joined: pa.DataType | None
) -> None:
    assert join_decimals([pa.decimal128(2, 0), pa.decimal256(scale, scale)]) == joined
