"""Values as 128 bits each, so that equal values can be found among very many of any length.

integers, dates, floats -> their own bits, mixed: different values have different ones
texts, bytes, decimals  -> the first 128 bits of BLAKE2: of a thousand million different values two have
                           the same ones with a chance of one in 10 ** 21
"""

import hashlib

import numpy as np
import pyarrow as pa
from pyarrow import Array
from pyarrow.types import is_boolean, is_decimal, is_floating, is_integer, is_temporal

from transforms.logical_types import decode, is_binary, is_text

_DIGEST_BYTES = 16
# Of splitmix64 (Steele, Lea and Flood, 2014), which gives each number another one.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST_SHIFT = np.uint64(30)
_FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_SHIFT = np.uint64(27)
_SECOND_FACTOR = np.uint64(0x94D049BB133111EB)
_LAST_SHIFT = np.uint64(31)


def digest_values(column: Array) -> np.ndarray:
    """Return the digests of the values that are there, uint64 (values, 2).

    Args:
        column: of numbers, dates and times, booleans, texts or bytes.

    Raises:
        pyarrow.ArrowNotImplementedError: it holds other values.
    """
    values = decode(column).drop_null()
    # A decimal is as its digits are written, which are the same for all of one scale.
    if is_decimal(values.type):
        values = values.cast(pa.string())
    if is_text(values.type) or is_binary(values.type):
        in_bytes = values.cast(pa.large_binary())
        return _digest_bytes(in_bytes)
    bits = _to_bits(values)
    mixed = _mix(bits)
    # 64 bits hold all of such a value; the other half of a digest tells nothing more.
    nothing = np.zeros_like(mixed)
    return np.stack([mixed, nothing], axis=1)


def _to_bits(column: Array) -> np.ndarray:
    """Return values as uint64, different ones as different numbers.

    Args:
        column: without missing values.
    """
    dtype = column.type
    if is_floating(dtype):
        doubles = column.cast(pa.float64()).to_numpy()
        # Zero and minus zero are equal, and their sum is zero.
        return (doubles + 0.0).view(np.uint64)
    if is_temporal(dtype):
        same_width = pa.int32() if dtype.bit_width == 32 else pa.int64()
        column = column.view(same_width)
    elif is_boolean(dtype):
        column = column.cast(pa.uint8())
    elif not is_integer(dtype):
        raise pa.ArrowNotImplementedError(
            f"values of type {dtype} cannot be compared with each other"
        )
    # As it is: half of its values are no int64.
    if column.type == pa.uint64():
        return column.to_numpy()
    integers = column.cast(pa.int64()).to_numpy()
    return integers.view(np.uint64)


def _mix(bits: np.ndarray) -> np.ndarray:
    """Return other numbers, which lie evenly among all of 64 bits."""
    mixed = bits + _STEP
    mixed = _fold(mixed, _FIRST_SHIFT) * _FIRST_FACTOR
    mixed = _fold(mixed, _SECOND_SHIFT) * _SECOND_FACTOR
    return _fold(mixed, _LAST_SHIFT)


def _fold(bits: np.ndarray, shift: np.uint64) -> np.ndarray:
    """Return numbers whose lower bits have the upper ones mixed in."""
    upper = bits >> shift
    return bits ^ upper


def _digest_bytes(values: Array) -> np.ndarray:
    digests = []
    for value in values.to_pylist():
        digest = hashlib.blake2b(value, digest_size=_DIGEST_BYTES)
        digests.append(digest.digest())
    content = b"".join(digests)
    # The same numbers on every machine.
    stored = np.frombuffer(content, dtype=">u8")
    halves = stored.astype(np.uint64)
    return halves.reshape(-1, 2)
