"""The stored bytes of a CSV file, from a disk or a store: whole, decompressed, or of one piece."""

from typing import Any

import pyarrow as pa

from configs.errors import InputError
from storage import files
from storage.retries import retried
from transforms.batches import WorkUnit

_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_BUFFER_BYTES = 1 << 20


class StoredBytes:
    """The file as it is stored; a transient read error is mended by opening it again at the same place."""

    closed = False

    def __init__(self, url: str, ahead: bool = True) -> None:
        self._url, self._ahead = url, ahead
        self._file: Any | None = None
        self._position = 0
        self.size: int = self._opened().seek(0, 2)
        self._opened().seek(0)

    def _opened(self) -> Any:
        if self._file is None:
            self._file = files.open_read(self._url, self._ahead)
            self._file.seek(self._position)
        return self._file

    @retried
    def read(self, size: int = -1) -> bytes:
        try:
            content: bytes = self._opened().read(size)
        except OSError:
            self.close()
            raise
        self._position += len(content)
        return content

    def read_at(self, position: int, size: int) -> bytes:
        """At least one byte, at most `size`, from there on.

        Raises:
            InputError: the file ends before.
        """
        if position != self._position:
            self._position = position
            self._opened().seek(position)
        content = self.read(size)
        if not content:
            raise InputError(f"{self._url}: became shorter after the run was planned; start the run again to score the new content")
        return content

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


class PieceBytes:
    """The header of a file that is cut, and one of its pieces, as they are stored."""

    def __init__(self, stored: StoredBytes, piece: WorkUnit) -> None:
        self._stored = stored
        self._spans = [(0, piece.header_bytes), (piece.first_byte, piece.first_byte + piece.bytes)]

    def read(self, size: int) -> bytes:
        content = b""
        while self._spans and len(content) < size:
            start, stop = self._spans.pop(0)
            more = self._stored.read_at(start, min(stop - start, size - len(content)))
            content += more
            if start + len(more) < stop:
                self._spans.insert(0, (start + len(more), stop))
        return content


def is_compressed(url: str) -> bool:
    """Whether a file's name says that it is."""
    return url.endswith(tuple(_COMPRESSIONS))


def decompressed(url: str, stored: StoredBytes) -> pa.NativeFile:
    """The file as a parser reads it."""
    file = pa.PythonFile(stored, mode="r")
    for ending, compression in _COMPRESSIONS.items():
        if url.endswith(ending):
            return pa.CompressedInputStream(pa.BufferedInputStream(file, _BUFFER_BYTES), compression)
    return file
