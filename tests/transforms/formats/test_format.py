"""Which types a shard may hold a column in, against what numpy casts safely; and what check_columns says of the others."""

import itertools

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import InputError
from transforms.formats.format import Column, check_columns

NUMBERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")


def arrow(name: str) -> pa.DataType:
    return pa.from_numpy_dtype(np.dtype(name))


@pytest.mark.parametrize(("actual", "wanted"), list(itertools.product(NUMBERS, NUMBERS)))
def test_an_integer_may_be_narrower_where_every_value_fits(actual: str, wanted: str) -> None:
    column = Column("a", arrow(wanted), castable=True)
    assert column.takes(arrow(actual)) == np.can_cast(actual, wanted, casting="safe")
    assert Column("a", arrow(wanted)).takes(arrow(actual)) == (actual == wanted)


@pytest.mark.parametrize(("actual", "wanted"), list(itertools.product(FLOATS, FLOATS)))
def test_a_float_may_be_narrower_and_a_double_may_be_rounded_unless_it_is_carried(
    actual: str, wanted: str
) -> None:
    widens = np.can_cast(actual, wanted, casting="safe")
    rounded = (actual, wanted) == ("float64", "float32")
    assert Column("a", arrow(wanted), castable=True).takes(arrow(actual)) == (widens or rounded)
    carried = Column("a", arrow(wanted), castable=True, carried=True)
    assert carried.takes(arrow(actual)) == widens


@pytest.mark.parametrize(("actual", "wanted"), [("int32", "float64"), ("float32", "int64")])
def test_integers_and_floats_are_not_taken_for_each_other(actual: str, wanted: str) -> None:
    assert not Column("a", arrow(wanted), castable=True).takes(arrow(actual))


def test_whatever_the_first_file_has_is_taken_where_nobody_says_a_type() -> None:
    assert Column("a", None).takes(pa.list_(pa.string()))


def test_the_first_wrong_column_is_named_with_what_is_near() -> None:
    schema = pa.schema([("a", pa.int64()), (" b", pa.int64()), ("c", pa.string())])
    for column, words in {
        Column("b", None): "with spaces around it",
        Column("aa", None): r"did you mean a\?",
        Column("c", pa.int64()): "is string, but must be int64; write the file",
        Column("c", pa.int64(), carried=True): "must be int64 in every file, because it is copied",
    }.items():
        with pytest.raises(InputError, match=words):
            check_columns("s", schema, [Column("a", None), column])
    twice = pa.schema([("a", pa.int64()), ("a", pa.int64())])
    with pytest.raises(InputError, match="has 2 columns called 'a'"):
        check_columns("s", twice, [Column("a", None)])
