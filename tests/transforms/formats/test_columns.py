"""The type in which a column comes out, of what a contract or a job declares and what files have."""

import pyarrow as pa
import pytest

from transforms.formats.column import Column
from transforms.formats.columns import choose_type, keeps_form, takes_type


@pytest.mark.parametrize(
    ("declared", "found", "finest"),
    [
        (pa.timestamp("s"), [pa.timestamp("s"), pa.timestamp("ns")], pa.timestamp("ns")),
        (pa.duration("ms"), [pa.duration("us")], pa.duration("us")),
        (pa.decimal128(5, 2), [pa.decimal128(12, 2)], pa.decimal128(12, 2)),
    ],
)
def test_what_the_model_alone_takes_keeps_the_digits_of_the_files(
    declared: pa.DataType, found: list[pa.DataType], finest: pa.DataType
) -> None:
    for_model = Column("a", declared, castable=True)
    assert choose_type(for_model, found) == finest
    # What the job states is what comes out.
    stated = Column("a", declared, castable=True, stated=True)
    assert choose_type(stated, found) == declared
    carried = Column("a", declared, carried=True)
    assert choose_type(carried, found) == declared


I16, I64, F32, F64 = pa.int16(), pa.int64(), pa.float32(), pa.float64()
DAY, MOMENT = pa.date32(), pa.timestamp("s")
SMALL, LARGE = pa.decimal128(5, 2), pa.decimal128(9, 4)


@pytest.mark.parametrize(
    ("declared", "actual", "plain", "castable", "carried", "stated"),
    [
        # The same type, in whatever form, whoever declares it; and none, which takes all.
        (None, I64, True, True, True, True),
        (I64, I64, True, True, True, True),
        (pa.string(), pa.large_string(), True, True, True, True),
        (pa.string(), I64, False, False, False, False),
        # A narrower number is widened for the model, and what is copied too where it is exact.
        (I64, I16, False, True, True, False),
        (F64, F32, False, True, True, False),
        (F32, F64, False, True, False, False),
        (I16, I64, False, False, False, False),
        # More digits on both sides of the point hold each value, where the job states them.
        (LARGE, SMALL, False, True, True, True),
        (SMALL, LARGE, False, True, True, False),
        # Only decimals have digits to compare.
        (SMALL, pa.string(), False, False, False, False),
        (pa.string(), SMALL, False, False, False, False),
    ],
)
def test_types_that_a_column_takes(
    declared: pa.DataType | None,
    actual: pa.DataType,
    plain: bool,
    castable: bool,
    carried: bool,
    stated: bool,
) -> None:
    found = [
        takes_type(Column("a", declared), actual),
        takes_type(Column("a", declared, castable=True), actual),
        takes_type(Column("a", declared, castable=True, carried=True), actual),
        takes_type(Column("a", declared, stated=True), actual),
    ]
    assert found == [plain, castable, carried, stated]


@pytest.mark.parametrize(
    ("declared", "found", "keeps"),
    [
        (pa.string(), [pa.large_string()], True),
        (pa.string(), [pa.string(), pa.null()], True),
        # Nothing but nulls is of the declared type.
        (pa.string(), [pa.null()], False),
        (pa.string(), [pa.null(), pa.null()], False),
        # A number is widened to the declared one, and lists and moments take any form that fits.
        (I64, [I64], True),
        (I64, [I64, I16], False),
        (MOMENT, [pa.timestamp("ns")], True),
        (None, [I64], False),
    ],
)
def test_what_is_copied_and_taken_keeps_the_form_of_the_files(
    declared: pa.DataType | None, found: list[pa.DataType], keeps: bool
) -> None:
    both = Column("a", declared, castable=True, carried=True)
    assert keeps_form(both, found) is keeps
    assert (choose_type(both, found) is None) is (keeps or declared is None)
    for other in (
        Column("a", declared, castable=True),
        Column("a", declared, carried=True),
        Column("a", declared, castable=True, carried=True, stated=True),
    ):
        assert not keeps_form(other, found)


def test_of_a_column_that_is_named_alone_nothing_else_is_asked() -> None:
    plain = Column("a", pa.int8())
    assert (plain.castable, plain.carried, plain.stated) == (False, False, False)
