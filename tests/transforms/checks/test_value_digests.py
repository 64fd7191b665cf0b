"""Digests of values: numbers as splitmix64 mixes them, texts and decimals by BLAKE2."""

from datetime import date
from decimal import Decimal
import hashlib
from typing import Any

import pyarrow as pa
import pytest

from transforms.checks.value_digests import digest_values

# The first numbers that splitmix64 gives, begun at 0 and at 1 (https://prng.di.unimi.it/splitmix64.c).
FIRST = {0: 0xE220A8397B1DCDAF, 1: 0x910A2DEC89025CC1}


def digests_of(column: pa.Array) -> list[tuple[int, int]]:
    return [(int(high), int(low)) for high, low in digest_values(column)]


@pytest.mark.parametrize(
    "dtype",
    [pa.int8(), pa.int64(), pa.uint16(), pa.uint64(), pa.date32(), pa.bool_(), pa.time64("us")],
)
def test_numbers_are_mixed_as_splitmix64_does(dtype: pa.DataType) -> None:
    column = pa.array([0, None, 1], pa.int64()).cast(
        pa.int32() if dtype == pa.date32() else pa.int64()
    )
    assert digests_of(column.cast(dtype)) == [(FIRST[0], 0), (FIRST[1], 0)]


def test_zero_and_minus_zero_are_one_value_and_floats_of_any_width_alike() -> None:
    (zero, minus, half), (narrow,) = (
        digests_of(pa.array([0.0, -0.0, 0.5])),
        digests_of(pa.array([0.5], pa.float32())),
    )
    assert zero == minus == (FIRST[0], 0)
    assert half == narrow != zero


@pytest.mark.parametrize(
    ("values", "dtype", "content"),
    [
        (["ä", None], pa.string(), "ä".encode()),
        ([b"\xff\x00"], pa.binary(), b"\xff\x00"),
        ([Decimal("1.50")], pa.decimal128(9, 2), b"1.50"),
    ],
)
def test_texts_bytes_and_decimals_have_the_first_bits_of_blake2(
    values: list[Any], dtype: pa.DataType, content: bytes
) -> None:
    digest = hashlib.blake2b(content, digest_size=16).digest()
    high, low = digest[:8], digest[8:]
    expected = (int.from_bytes(high, "big"), int.from_bytes(low, "big"))
    assert digests_of(pa.array(values, dtype)) == [expected]
    assert digests_of(pa.array(values, dtype).dictionary_encode()) == [expected]


def test_large_numbers_of_64_bits_stay_different() -> None:
    column = pa.array([2**64 - 1, 2**64 - 2, 2**63], pa.uint64())
    assert len(set(digests_of(column))) == 3
    assert len(set(digests_of(pa.array([date(2026, 1, 1), date(2026, 1, 2)])))) == 2


def test_values_that_cannot_be_compared_are_refused_by_their_type() -> None:
    with pytest.raises(pa.ArrowNotImplementedError, match="list"):
        digest_values(pa.array([[1]]))
