"""A file that is made of extents of another one, which Arrow reads as if that were all there is.

Parquet file  PAR1 |  ...  | dictionary | page | page | page |  ...  | footer
given file    PAR1 | dictionary | page | a footer of our own
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from typing import BinaryIO, NamedTuple

from storage import files
from storage.kept_in_memory import is_kept

_MAGIC = b"PAR1"
_LENGTH_BYTES = 4
# In the time of a request a store gives as much.
_NEAR_BYTES = 1 << 20


class Extent(NamedTuple):
    """Bytes of a file, from the first one to the one behind the last."""

    begin: int
    stop: int


@dataclass(frozen=True)
class Source:
    """Bytes of a file at their places: of a disk the file itself, of a store what was fetched of it.

    Attributes:
        parts: by the place that they begin at.
        begins: these places, ascending.
    """

    parts: Mapping[int, BinaryIO]
    begins: Sequence[int]

    def read(self, begin: int, stop: int) -> bytes:
        """Return some bytes, all of which are of one part; fewer where it ends before."""
        number = bisect_right(self.begins, begin) - 1
        part = self.begins[number]
        file = self.parts[part]
        file.seek(begin - part)
        return file.read(stop - begin)


def open_source(stack: ExitStack, url: str, extents: Iterable[Extent]) -> Source:
    """Return some bytes of a file: those of a store are fetched at once.

    Args:
        stack: closes what is opened here.
        url: the file.
        extents: which bytes.

    Raises:
        OSError: the file cannot be read.
    """
    if is_kept(url) or files.is_local(url):
        file = stack.enter_context(files.open_read(url))
        return Source({0: file}, [0])
    near = join_near(extents)
    contents = files.read_ranges(url, near)
    parts = {}
    for extent, content in zip(near, contents, strict=True):
        parts[extent.begin] = BytesIO(content)
    return Source(parts, list(parts))


def join_near(extents: Iterable[Extent]) -> list[Extent]:
    """Return extents in order, and as one those between which lies less than a request is worth.

    >>> join_near([Extent(3 << 20, 4 << 20), Extent(0, 10), Extent(20, 30)])
    [Extent(begin=0, stop=30), Extent(begin=3145728, stop=4194304)]
    """
    joined: list[Extent] = []
    for extent in sorted(extents):
        # Of a leaf without a dictionary.
        if extent.begin == extent.stop:
            continue
        last = joined[-1] if joined else None
        if last is not None and extent.begin - last.stop < _NEAR_BYTES:
            stop = max(last.stop, extent.stop)
            joined[-1] = Extent(last.begin, stop)
        else:
            joined.append(extent)
    return joined


class GivenFile:
    """A file that is made of extents of another one and of a footer; enough of a file for pyarrow.

    Attributes:
        closed: as other files have it.
    """

    closed = False

    def __init__(self, source: Source, extents: Sequence[Extent], footer: bytes) -> None:
        """Make it, without reading.

        Args:
            source: the bytes of the other file.
            extents: those that this one has, in its order.
            footer: without its length.
        """
        self._source = source
        self._extents = extents
        # Where each of them begins here, and last the footer.
        self._places = list_places(extents)
        length = len(footer).to_bytes(_LENGTH_BYTES, "little")
        self._end = footer + length + _MAGIC
        self._size = self._places[-1] + len(self._end)
        self._place = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, counted from the beginning, from here or from the end."""
        counted_from = (0, self._place, self._size)
        self._place = counted_from[whence] + offset
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, fewer at the end alone."""
        left = self._size if size < 0 else size
        parts = []
        while left:
            part = self._read_up_to(left)
            # The end, or that of a file that became shorter.
            if not part:
                break
            parts.append(part)
            self._place += len(part)
            left -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Do nothing: whoever opened the source closes it."""

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from any place on."""
        return True

    def _read_up_to(self, most: int) -> bytes:
        """Return the next bytes of one extent."""
        place = self._place
        if place < len(_MAGIC):
            return _MAGIC[place : place + most]
        behind = place - self._places[-1]
        if behind >= 0:
            return self._end[behind : behind + most]
        number = bisect_right(self._places, place) - 1
        extent = self._extents[number]
        begin = extent.begin + place - self._places[number]
        stop = min(begin + most, extent.stop)
        return self._source.read(begin, stop)


def list_places(extents: Iterable[Extent]) -> list[int]:
    """Return where extents begin in a file that is made of them, and where the last one ends.

    >>> list_places([Extent(100, 150), Extent(300, 310)])
    [4, 54, 64]
    """
    sizes = [extent.stop - extent.begin for extent in extents]
    return list(accumulate(sizes, initial=len(_MAGIC)))
