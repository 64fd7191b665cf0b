"""Arrays as the bytes of the Open Inference Protocol, and back.

Bytes are those of a little-endian machine, row by row. numpy has no bfloat16: such an array is of
float32 on our side, which holds each of its values.
"""

from collections.abc import Sequence
import math
import struct

import numpy as np

from model_zoo.remote.failures import WrongError

_LENGTH = struct.Struct("<I")
# Of the lower half of a float32, which bfloat16 has not: half of its range, less one bit.
_NEARLY_HALF = np.uint32(0x7FFF)
# Of a bfloat16 whose exponent has all its bits: with this one it is NaN, and without any infinite.
_NAN_BIT = 0x40


def find_dtype(array: np.ndarray) -> str:
    """Return the dtype of an array as cards name it; `bytes` for texts.

    >>> find_dtype(np.zeros(3, "float32")), find_dtype(np.array(["Ann"], object))
    ('float32', 'bytes')
    """
    if array.dtype.kind in "OSU":
        return "bytes"
    return array.dtype.name


def encode_array(array: np.ndarray, dtype: str) -> bytes:
    """Return the bytes of an array.

    Args:
        array: of any layout and order of bytes.
        dtype: as the server takes it: the array's own, or `bfloat16` for one of float32.
    """
    if dtype == "bytes":
        return b"".join(_with_length(text) for text in array.ravel())
    if dtype == "bfloat16":
        return _round_to_bfloat16(array).tobytes()
    little = array.dtype.newbyteorder("<")
    return array.astype(little, copy=False).tobytes()


def decode_array(
    content: bytes,
    dtype: str,
    shape: Sequence[int],
    name: str,
) -> np.ndarray:
    """Return the array that bytes are, in memory of its own.

    Args:
        content: all of its bytes.
        dtype: as the server names it, in our words.
        shape: with the rows.
        name: the output's, for messages.

    Raises:
        WrongError: these are not the bytes of such an array.
    """
    count = count_elements(shape, name)
    if dtype == "bytes":
        texts = _split_texts(content, count, name)
        return reshape(texts, shape, name)
    is_bfloat16 = dtype == "bfloat16"
    in_memory = np.dtype("uint16" if is_bfloat16 else dtype)
    stored = in_memory.newbyteorder("<")
    wanted_bytes = count * stored.itemsize
    if len(content) != wanted_bytes:
        raise WrongError(
            f"output {name} of shape {tuple(shape)} must have {wanted_bytes:,} bytes, "
            f"got {len(content):,}"
        )
    flat = np.frombuffer(content, stored)
    values = reshape(flat, shape, name)
    if is_bfloat16:
        return widen_bfloat16(values)
    if dtype == "bool":
        _refuse_other_bytes(values, name)
    # A copy: torch wants memory that it may write to.
    return values.astype(in_memory)


def widen_bfloat16(halves: np.ndarray) -> np.ndarray:
    """Return float32 of the same values: a bfloat16 is its upper half.

    Args:
        halves: the bits of bfloat16, as uint16.

    >>> widen_bfloat16(np.array([0x3F80, 0xC000], np.uint16)).tolist()
    [1.0, -2.0]
    """
    bits = halves.astype(np.uint32) << 16
    return bits.view(np.float32)


def count_elements(shape: Sequence[int], name: str) -> int:
    """Return how many elements an array has.

    Args:
        shape: with the rows.
        name: the output's, for messages.

    Raises:
        WrongError: the shape is that of no array with rows.
    """
    if len(shape) == 0 or min(shape) < 0:
        raise WrongError(f"output {name} must have rows and sizes, got shape {tuple(shape)}")
    return math.prod(shape)


def reshape(values: np.ndarray, shape: Sequence[int], name: str) -> np.ndarray:
    """Return the same elements in another shape.

    Args:
        values: of any shape.
        shape: with as many elements.
        name: the output's, for messages.

    Raises:
        WrongError: it is the shape of no rows, there are more or fewer elements, or a size is beyond what numpy counts to.
    """
    count_elements(shape, name)
    try:
        return values.reshape(shape)
    except (ValueError, OverflowError) as error:
        raise WrongError(
            f"output {name} has {values.size:,} elements, and not those of shape {tuple(shape)}"
        ) from error


def _refuse_other_bytes(values: np.ndarray, name: str) -> None:
    # numpy and torch would take any other byte for a third value.
    is_other = values.view(np.uint8) > 1
    if is_other.any():
        raise WrongError(f"output {name} of bool has bytes that are neither 0 nor 1")


def _with_length(text: str | bytes) -> bytes:
    encoded = text.encode() if isinstance(text, str) else text
    length = _LENGTH.pack(len(encoded))
    return length + encoded


def _split_texts(content: bytes, count: int, name: str) -> np.ndarray:
    too_short = WrongError(f"output {name} must have {count:,} texts, and its bytes end before")
    # Each has four bytes at least: a shape alone may not take memory.
    if count * _LENGTH.size > len(content):
        raise too_short
    texts = np.empty(count, object)
    start = 0
    for position in range(count):
        # Each begins with its length.
        first = start + _LENGTH.size
        header = content[start:first]
        if len(header) < _LENGTH.size:
            raise too_short
        (length,) = _LENGTH.unpack(header)
        start = first + length
        # A slice behind the end is short, or empty.
        texts[position] = content[first:start]
    if start != len(content):
        raise WrongError(f"output {name} has texts that do not end where its bytes end")
    return texts


def _round_to_bfloat16(array: np.ndarray) -> np.ndarray:
    """Return the upper halves of float32, rounded to the nearest, and to even between two."""
    floats = np.ascontiguousarray(array, np.float32)
    bits = floats.view(np.uint32)
    upper = bits >> 16
    # Half of what is cut off, less a bit where the upper half is even already.
    last_kept_bit = upper & 1
    rounded = (bits + _NEARLY_HALF + last_kept_bit) >> 16
    # Rounding could make an infinity of a NaN.
    nan = upper | _NAN_BIT
    is_nan = np.isnan(array)
    halves = np.where(is_nan, nan, rounded)
    return halves.astype("<u2")
