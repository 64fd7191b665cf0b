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
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


def digest_values(column: Array) -> np.ndarray:
    """Return the digests of the values that are there, uint64 (values, 2).

    Args:
        column: of numbers, dates and times, booleans, texts or bytes.

    Raises:
        pyarrow.ArrowNotImplementedError: it holds other values.
    """
    column = decode(column).drop_null()
    if is_text(column.type) or is_binary(column.type):
        return _digest_bytes(column.cast(pa.large_binary()))
    if is_decimal(column.type):
        return _digest_bytes(column.cast(pa.string()).cast(pa.large_binary()))
    bits = _mix(_to_bits(column))
    return np.stack([bits, np.zeros_like(bits)], axis=1)


def _to_bits(column: Array) -> np.ndarray:
    dtype = column.type
    if is_floating(dtype):
        # Zero and minus zero are equal.
        doubles = column.cast(pa.float64()).to_numpy() + 0.0
        return doubles.view(np.uint64)
    if is_temporal(dtype):
        column = column.view(pa.int32() if dtype.bit_width == 32 else pa.int64())
    elif is_boolean(dtype):
        column = column.cast(pa.uint8())
    elif not is_integer(dtype):
        raise pa.ArrowNotImplementedError(
            f"values of type {dtype} cannot be compared with each other"
        )
    if column.type == pa.uint64():
        return column.to_numpy()
    return column.cast(pa.int64()).to_numpy().view(np.uint64)


def _mix(bits: np.ndarray) -> np.ndarray:
    """Return other numbers, which lie evenly among all of 64 bits."""
    mixed = bits + _STEP
    for factor, shift in zip(_FACTORS, _SHIFTS, strict=False):
        mixed = (mixed ^ (mixed >> shift)) * factor
    return mixed ^ (mixed >> _SHIFTS[-1])


def _digest_bytes(values: Array) -> np.ndarray:
    digests = [
        hashlib.blake2b(value, digest_size=_DIGEST_BYTES).digest() for value in values.to_pylist()
    ]
    content = b"".join(digests)
    return (
        np.frombuffer(content, dtype=np.dtype(np.uint64).newbyteorder(">"))
        .astype(np.uint64)
        .reshape(-1, 2)
    )
