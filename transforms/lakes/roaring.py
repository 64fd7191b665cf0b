"""Read a 64-bit Roaring bitmap in its portable form: numbers of deleted rows.

https://github.com/RoaringBitmap/RoaringFormatSpec. Read here, and not by a library, because what a
stranger wrote must not say how much memory is taken: no number may be behind the file's last row.

    count of parts, 8 bytes | for each: its upper 32 bits, 4 bytes | a 32-bit bitmap
    32-bit bitmap: cookie | keys and sizes of containers | offsets | containers of 2**16 numbers each
"""

import numpy as np

_NO_RUNS = 12346
_RUNS = 12347
_ARRAY_NUMBERS = 4096
_BITMAP_BYTES = 8192
# So many containers or fewer, with runs, and there are no offsets.
_LEAST_OFFSETS = 4
_CONTAINER = 1 << 16


class _Bytes:
    """Bytes that are read in order, never behind their end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        end = self._place + count
        if end > len(self._content):
            raise ValueError("is cut short")
        taken = self._content[self._place : end]
        self._place = end
        return taken

    def take_numbers(self, count: int, dtype: str) -> np.ndarray:
        """Return the next numbers, of a type of numpy."""
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
    found: list[np.ndarray] = [np.empty(0, dtype=np.int64)]
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
    if len(numbers) and int(numbers[-1]) >= rows:
        raise ValueError("names a row that the file does not have")
    if np.any(np.diff(numbers) <= 0):
        raise ValueError("is not in ascending order")
    return numbers


def _read_part(source: _Bytes, base: int, rows: int) -> list[np.ndarray]:
    cookie = source.take_number("<u4")
    if cookie & 0xFFFF == _RUNS:
        count = (cookie >> 16) + 1
        flag_bytes = (count + 7) // 8
        flags = np.frombuffer(source.take(flag_bytes), dtype=np.uint8)
        are_runs = np.unpackbits(flags, bitorder="little")
        has_offsets = count >= _LEAST_OFFSETS
    elif cookie == _NO_RUNS:
        count = source.take_number("<u4")
        are_runs = np.zeros(min(count, _CONTAINER), dtype=np.uint8)
        has_offsets = True
    else:
        raise ValueError("is no Roaring bitmap")
    if count > _CONTAINER:
        raise ValueError("is no Roaring bitmap")
    heads = source.take_numbers(2 * count, "<u2").astype(np.int64)
    # Containers follow each other, so nobody needs to be told where they begin.
    if has_offsets:
        source.take(4 * count)
    found = []
    for position in range(count):
        key, size = heads[2 * position : 2 * position + 2].tolist()
        first = base + key * _CONTAINER
        if first >= rows:
            raise ValueError("names a row that the file does not have")
        lower = _read_container(source, size + 1, bool(are_runs[position]))
        found.append(first + lower)
    return found


def _read_container(source: _Bytes, size: int, is_run: bool) -> np.ndarray:
    if is_run:
        return _read_runs(source)
    if size <= _ARRAY_NUMBERS:
        return source.take_numbers(size, "<u2").astype(np.int64)
    bits = np.frombuffer(source.take(_BITMAP_BYTES), dtype=np.uint8)
    is_set = np.unpackbits(bits, bitorder="little")
    return np.flatnonzero(is_set)


def _read_runs(source: _Bytes) -> np.ndarray:
    count = source.take_number("<u2")
    pairs = source.take_numbers(2 * count, "<u2").astype(np.int64)
    is_set = np.zeros(_CONTAINER, dtype=bool)
    for first, more in pairs.reshape(count, 2).tolist():
        is_set[first : first + more + 1] = True
    return np.flatnonzero(is_set)
