"""Let pyarrow be asked about column chunks of a stranger's footer: of one that is told wrongly, it ends the process.

Its C++ raises there, of another type than the column's or of histograms with too many levels, and nobody
catches it. When rows are read, the same chunks are looked at by the same code, and what it raises is caught.
"""

from collections.abc import Iterable, Sequence

import pyarrow as pa
from pyarrow.parquet import FileMetaData, ParquetReader

# No chunk ends behind it, as numbers of a footer are smaller.
_FILE_BYTES = 1 << 62
# As nothing is read.
_BUFFER_BYTES = 1


def check_chunks(metadata: FileMetaData, groups: Sequence[int], leaves: Iterable[int]) -> None:
    """Refuse column chunks that pyarrow cannot be asked about, in half a microsecond each.

    Args:
        metadata: a file's footer.
        groups: numbers of row groups.
        leaves: numbers of the leaves that will be asked about.

    Raises:
        OSError, ArrowException: one is told wrongly, or is encrypted.
    """
    numbers = list(leaves)
    # Of no leaf, Arrow would count rows.
    if not numbers:
        return
    file = _EmptyFile()
    reader = ParquetReader()
    # Either way all chunks are looked at before the first byte is asked for; of one row group the second one
    # does without threads.
    if len(groups) > 1:
        reader.open(file, metadata=metadata, pre_buffer=True)
    else:
        reader.open(file, metadata=metadata, pre_buffer=False, buffer_size=_BUFFER_BYTES)
    rows = reader.iter_batches(1, groups, numbers, use_threads=False)
    try:
        next(rows, None)
    except (OSError, pa.ArrowException):
        # Whatever it says of no bytes, it says nothing of the chunks.
        if not file.is_asked:
            raise


class _EmptyFile:
    """A file that is said to be large and has no bytes; enough of a file for pyarrow.

    Attributes:
        closed: as other files have it.
        is_asked: whether bytes were asked for. To raise an error there takes longer than all else.
    """

    closed = False

    def __init__(self) -> None:
        self.is_asked = False

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go nowhere."""
        return offset

    def tell(self) -> int:
        """Return the size, which is asked for at the end."""
        return _FILE_BYTES

    def read(self, size: int = -1) -> bytes:
        """Return nothing."""
        self.is_asked = True
        return b""

    def close(self) -> None:
        """Do nothing, as nothing is open."""

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from any place on."""
        return True
