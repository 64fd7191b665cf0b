"""Read a 64-bit Roaring bitmap in its portable form: numbers of deleted rows.

https://github.com/RoaringBitmap/RoaringFormatSpec. Read here, and not by a library, because what a
stranger wrote must not say how much memory is taken: no number may be behind the file's last row.

    count of parts, 8 bytes | for each: its upper 32 bits, 4 bytes | a 32-bit bitmap
    32-bit bitmap: cookie | keys and sizes of containers | offsets | containers of 2**16 numbers each
"""

from typing import NamedTuple

import numpy as np

_NO_RUNS = 12346
_RUNS = 12347
_ARRAY_NUMBERS = 4096
_BITMAP_BYTES = 8192
# So many containers or fewer, with runs, and there are no offsets.
_LEAST_OFFSETS = 4
_CONTAINER = 1 << 16
_LOWER_HALF = 0xFFFF


class _Bytes:
    """Bytes that are read in order, never behind their end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    def take(self, count: int) -> bytes:
        """Return the next bytes.

        Raises:
            ValueError: there are fewer.
        """
        end = self._place + count
        if end > len(self._content):
            raise ValueError("is cut short")
        begin = self._place
        self._place = end
        return self._content[begin:end]

    def take_numbers(self, count: int, dtype: str) -> np.ndarray:
        """Return the next numbers.

        Args:
            count: how many.
            dtype: as numpy names it, with its order of bytes.

        Raises:
            ValueError: there are fewer.
        """
        width = np.dtype(dtype).itemsize
        content = self.take(count * width)
        return np.frombuffer(content, dtype=dtype)

    def take_number(self, dtype: str) -> int:
        """Return the next number."""
        (number,) = self.take_numbers(1, dtype)
        return int(number)


def read_bitmap(content: bytes, rows: int) -> np.ndarray:
    """Return the numbers in a bitmap, int64 and ascending.

    Args:
        content: the bitmap.
        rows: every number must be smaller.

    Raises:
        ValueError: it is no such bitmap, or holds a number that is too large.
    """
    source = _Bytes(content)
    parts = source.take_number("<u8")
    # Nothing can be put together of no array at all.
    nothing = np.empty(0, dtype=np.int64)
    found: list[np.ndarray] = [nothing]
    before = -1
    for _ in range(parts):
        upper = source.take_number("<u4")
        base = upper << 32
        # Else a stranger's keys would repeat without an end.
        if upper <= before or base >= rows:
            raise ValueError("names a row that the file does not have")
        before = upper
        found += _read_part(source, base, rows)
    numbers = np.concatenate(found)
    # Only the last container can be too large.
    last = int(numbers[-1]) if len(numbers) else -1
    if last >= rows:
        raise ValueError("names a row that the file does not have")
    distances = np.diff(numbers)
    is_back = distances <= 0
    if np.any(is_back):
        raise ValueError("is not in ascending order")
    return numbers


class _Head(NamedTuple):
    """How many containers there are, which of them are runs, and whether offsets are told."""

    containers: int
    are_runs: np.ndarray
    has_offsets: bool


def _read_head(source: _Bytes) -> _Head:
    cookie = source.take_number("<u4")
    if cookie == _NO_RUNS:
        count = source.take_number("<u4")
        # No more than there may be: the number is a stranger's.
        flags = min(count, _CONTAINER)
        are_runs = np.zeros(flags, dtype=np.uint8)
        return _Head(count, are_runs, has_offsets=True)
    # Where there are runs, the upper half of the cookie counts the containers, less one.
    kind = cookie & _LOWER_HALF
    if kind != _RUNS:
        raise ValueError("is no Roaring bitmap")
    less_one = cookie >> 16
    count = less_one + 1
    # A bit for each container.
    flag_bytes = (count + 7) // 8
    content = source.take(flag_bytes)
    bits = np.frombuffer(content, dtype=np.uint8)
    are_runs = np.unpackbits(bits, bitorder="little")
    has_offsets = count >= _LEAST_OFFSETS
    return _Head(count, are_runs, has_offsets)


def _read_part(
    source: _Bytes,
    base: int,
    rows: int,
) -> list[np.ndarray]:
    count, are_runs, has_offsets = _read_head(source)
    if count > _CONTAINER:
        raise ValueError("is no Roaring bitmap")
    numbers = source.take_numbers(2 * count, "<u2")
    # Containers follow each other, so nobody needs to be told where they begin.
    if has_offsets:
        source.take(4 * count)
    # Of each container its key, and its size less one.
    heads = numbers.reshape(count, 2)
    found = []
    # Flags fill whole bytes, so there may be more of them than containers.
    pairs = zip(heads.tolist(), are_runs.tolist(), strict=False)
    for (key, less_one), is_run in pairs:
        first = base + key * _CONTAINER
        # Before it is read: a run of a few bytes stands for 65536 numbers.
        if first >= rows:
            raise ValueError("names a row that the file does not have")
        size = less_one + 1
        lower = _read_container(source, size, is_run)
        numbers_here = first + lower
        found.append(numbers_here)
    return found


def _read_container(
    source: _Bytes,
    size: int,
    is_run: int,
) -> np.ndarray:
    if is_run:
        return _read_runs(source)
    if size <= _ARRAY_NUMBERS:
        numbers = source.take_numbers(size, "<u2")
        return numbers.astype(np.int64)
    content = source.take(_BITMAP_BYTES)
    bits = np.frombuffer(content, dtype=np.uint8)
    is_set = np.unpackbits(bits, bitorder="little")
    return np.flatnonzero(is_set)


def _read_runs(source: _Bytes) -> np.ndarray:
    count = source.take_number("<u2")
    numbers = source.take_numbers(2 * count, "<u2")
    runs = numbers.reshape(count, 2)
    is_set = np.zeros(_CONTAINER, dtype=bool)
    # As Python's own numbers: in two bytes a sum would begin at 0 again.
    for first, more in runs.tolist():
        behind = first + more + 1
        is_set[first:behind] = True
    return np.flatnonzero(is_set)
