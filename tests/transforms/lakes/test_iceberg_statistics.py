"""Bounds in Iceberg's manifests: every value of a file is within what is made of them."""

import struct
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from transforms.bounds import Bounds
from transforms.lakes.iceberg_statistics import read_statistics
from transforms.lakes.snapshot import TableColumn


def read_bounds(dtype: pa.DataType, lower: bytes, upper: bytes) -> Bounds:
    file = SimpleNamespace(
        lower_bounds={1: lower}, upper_bounds={1: upper}, null_value_counts={1: 0}, record_count=3
    )
    column = TableColumn("x", dtype, str(dtype), "x", field_id=1)
    return read_statistics(file, {}, [column])["x"]


def ends(bounds: Bounds) -> tuple[Any, Any]:
    assert bounds.least is not None
    assert bounds.most is not None
    return bounds.least.as_py(), bounds.most.as_py()


@pytest.mark.parametrize("scale", [0, 1, 38])
@pytest.mark.parametrize("unscaled", [10**37 + 6, -(10**37) - 6, 10**29 + 55, 5, 0, -1])
def test_decimals_keep_all_of_their_digits(unscaled: int, scale: int) -> None:
    dtype = pa.decimal128(38, scale)
    content = unscaled.to_bytes(16, "big", signed=True)
    found = ends(read_bounds(dtype, content, content))
    # As a text, which Arrow reads to its last digit.
    expected = pa.scalar(f"{unscaled}E-{scale}").cast(dtype).as_py()
    assert found == (expected, expected)


def test_a_decimal_of_a_thousand_digits_tells_nothing() -> None:
    bounds = read_bounds(pa.decimal128(38, 0), bytes(1_000), bytes(1_000))
    assert (bounds.least, bounds.most) == (None, None)


@pytest.mark.parametrize(
    ("dtype", "form", "least", "most"),
    [
        (pa.int32(), "<i", -7, 7),
        # Of a file that is older than the column's type.
        (pa.int64(), "<i", -7, 7),
        (pa.int64(), "<q", -(1 << 40), 1 << 40),
        (pa.float64(), "<f", -1.5, 2.5),
        (pa.float64(), "<d", -0.0, 1e300),
    ],
)
def test_numbers_are_read_in_the_width_of_their_file(
    dtype: pa.DataType, form: str, least: float, most: float
) -> None:
    lower = struct.pack(form, least)
    upper = struct.pack(form, most)
    assert ends(read_bounds(dtype, lower, upper)) == (least, most)


@pytest.mark.parametrize(
    ("dtype", "content"),
    [
        (pa.int32(), struct.pack("<q", 1 << 40)),
        (pa.int64(), b"abc"),
        (pa.float64(), struct.pack("<d", float("nan"))),
        (pa.float64(), struct.pack("<d", float("inf"))),
        (pa.string(), b"\xff"),
        (pa.date32(), b""),
        (pa.decimal128(3, 1), (10_000).to_bytes(4, "big")),
        (pa.binary(), b"abc"),
    ],
)
def test_what_is_no_such_value_tells_nothing(dtype: pa.DataType, content: bytes) -> None:
    bounds = read_bounds(dtype, content, content)
    assert (bounds.least, bounds.most) == (None, None)


def test_a_column_that_a_manifest_does_not_tell_of_may_be_anything() -> None:
    file = SimpleNamespace(
        lower_bounds=None, upper_bounds=None, null_value_counts=None, record_count=3
    )
    column = TableColumn("x", pa.int64(), "long", "x", field_id=1)
    assert read_statistics(file, {}, [column])["x"] == Bounds(None, None)
