"""Values of logs: what is written of a value is read again as that value."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from transforms.lakes.iceberg_schema import write_value
from transforms.lakes.log_values import parse_value

MICROSECONDS = 3_723_000_004
UTC = dt.UTC


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (True, pa.bool_(), True),
        (-7, pa.int32(), -7),
        (float("-inf"), pa.float64(), float("-inf")),
        (0.1, pa.float64(), 0.1),
        (Decimal("1.50"), pa.decimal128(9, 2), Decimal("1.50")),
        ("a b", pa.string(), "a b"),
        ("", pa.string(), ""),
        (b"abc", pa.binary(), b"abc"),
        (bytes(range(256)), pa.binary(), bytes(range(256))),
        ("\u00e4".encode(), pa.binary(), "\u00e4".encode()),
        (-1, pa.date32(), dt.date(1969, 12, 31)),
        (MICROSECONDS, pa.time64("us"), dt.time(1, 2, 3, 4)),
        (0, pa.time64("us"), dt.time(0)),
        (-1, pa.timestamp("us"), dt.datetime(1969, 12, 31, 23, 59, 59, 999_999)),
        (MICROSECONDS, pa.timestamp("us", "UTC"), dt.datetime(1970, 1, 1, 1, 2, 3, 4, UTC)),
    ],
)
def test_a_value_of_a_manifest_comes_out_as_it_is(
    value: Any, dtype: pa.DataType, expected: Any
) -> None:
    text = write_value(value, dtype)
    assert text is not None
    (found,) = parse_value(text, dtype)
    assert found.type == dtype
    assert found.as_py() == expected
