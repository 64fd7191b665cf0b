"""The stored bytes of a CSV file, from a disk or a store: whole, decompressed, or of one piece."""

from dataclasses import dataclass
import os
from typing import Any

import pyarrow as pa

from configs.errors import InputError
from storage import files
from storage.retries import retried
from transforms.formats.csv_archives import COMPRESSIONS, XZ, is_compressed

# A decompressor asks for some bytes at a time, each time through Python.
_BUFFER_BYTES = 1 << 20
# Zeros between the streams of an xz file come in fours.
_XZ_PADDING_BYTES = 4


@dataclass(frozen=True)
class CsvPiece:
    """Rows of a file, by number and by place.

    Attributes:
        header_bytes: size of the file's header.
        first_byte, bytes: where the rows are.
        first_row, rows: their numbers in the file.
    """

    header_bytes: int
    first_byte: int
    bytes: int
    first_row: int
    rows: int


class StoredBytes:
    """The file as it is stored.

    A transient read error is mended by opening it again at the same place.
    """

    # pyarrow asks before every read, and refuses a closed file.
    closed = False

    def __init__(self, url: str, ahead: bool = True) -> None:
        self._url = url
        self._ahead = ahead
        self._file: Any | None = None
        self._position = 0
        file = self._open()
        # The position of the end is the size.
        self.size: int = file.seek(0, os.SEEK_END)
        file.seek(0)

    def _open(self) -> Any:
        if self._file is None:
            self._file = files.open_read(self._url, self._ahead)
            self._file.seek(self._position)
        return self._file

    @retried
    def read(self, size: int = -1) -> bytes:
        try:
            content: bytes = self._open().read(size)
        except OSError:
            # So that the next try opens it anew: a file that failed may stand anywhere.
            self.close()
            raise
        self._position += len(content)
        return content

    def read_at(self, position: int, size: int) -> bytes:
        """Return at least one byte, at most `size`, from there on.

        Args:
            position: number of the first byte.
            size: in bytes.

        Raises:
            InputError: the file ends before.
        """
        if position != self._position:
            self._position = position
            self._open().seek(position)
        content = self.read(size)
        if not content:
            raise InputError(
                f"{self._url}: became shorter after the run was planned; "
                "start the run again to score the new content"
            )
        return content

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


class PieceBytes:
    """The header of a file that is cut, and one of its pieces, as they are stored."""

    def __init__(self, stored: StoredBytes, piece: CsvPiece) -> None:
        self._stored = stored
        rows = (piece.first_byte, piece.first_byte + piece.bytes)
        self._spans = [rows]
        # Files of other formats have none.
        if piece.header_bytes:
            header = (0, piece.header_bytes)
            self._spans.insert(0, header)

    def read(self, size: int) -> bytes:
        content = b""
        while self._spans and len(content) < size:
            start, stop = self._spans.pop(0)
            room = size - len(content)
            wanted = min(stop - start, room)
            more = self._stored.read_at(start, wanted)
            content += more
            # There may be no room for more, and a store may give less than it was asked for.
            read_until = start + len(more)
            if read_until < stop:
                self._spans.insert(0, (read_until, stop))
        return content


class XzBytes:
    """An xz file, unpacked: Arrow does not know the format.

    Not Python's own file of it, which takes whatever is no stream behind another for the end of all:
    padding, behind which more streams may follow, and a stream whose head is broken.
    """

    def __init__(self, stored: StoredBytes) -> None:
        # Only here: few files are xz, and every worker would load it.
        import lzma

        self._stored = stored
        self._unpack_stream = lzma.LZMADecompressor
        self._is_broken = lzma.LZMAError
        self._only_xz = lzma.FORMAT_XZ
        # The first may be of the older format, which knows no streams.
        self._stream = lzma.LZMADecompressor()
        self._packed = b""
        self._has_ended = False

    def read(self, size: int) -> bytes:
        content = bytearray()
        while not self._has_ended and len(content) < size:
            try:
                more = self._unpack(size - len(content))
            except self._is_broken as error:
                raise OSError(str(error)) from error
            content += more
        return bytes(content)

    def _unpack(self, most: int) -> bytes:
        """Return what comes next, at most as many bytes as are asked for; often none."""
        if self._stream.eof:
            self._begin_next()
            return b""
        packed = b""
        if self._stream.needs_input:
            packed = self._packed or self._stored.read(_BUFFER_BYTES)
            self._packed = b""
            if not packed:
                raise OSError("the file ends inside a stream")
        content: bytes = self._stream.decompress(packed, most)
        return content

    def _begin_next(self) -> None:
        """Go on to the stream behind the one that has ended, if there is one."""
        behind = self._stream.unused_data
        padding = 0
        while True:
            rest = behind.lstrip(b"\0")
            padding += len(behind) - len(rest)
            if rest:
                break
            behind = self._stored.read(_BUFFER_BYTES)
            if not behind:
                break
        if padding % _XZ_PADDING_BYTES:
            raise OSError("what lies behind a stream is no padding")
        if not rest:
            self._has_ended = True
            return
        self._packed = rest
        self._stream = self._unpack_stream(self._only_xz)


class CsvFile:
    """A CSV file, open for reading from its start, once: unpacked, or the bytes of a piece.

    Args:
        url: the file, whose name tells how it is compressed.
        piece: which rows of it, behind its header; None for all.

    Attributes:
        size: of the file as it is stored, in bytes.
        is_compressed: whether what is read was unpacked.
    """

    def __init__(self, url: str, piece: CsvPiece | None = None) -> None:
        self._stored = StoredBytes(url, ahead=piece is None)
        self.size = self._stored.size
        self.is_compressed = is_compressed(url)
        if piece is None:
            self._stream = open_decompressed(url, self._stored)
        else:
            self._stream = PieceBytes(self._stored, piece)

    def __enter__(self) -> "CsvFile":
        return self

    def __exit__(self, *error: object) -> None:
        self._stored.close()

    def read(self, size: int) -> bytes:
        content: bytes = self._stream.read(size)
        return content


def is_csv(url: str) -> bool:
    """Tell whether a file's name says that it is CSV, plain or compressed, in any letters.

    >>> is_csv("labels.CSV.gz"), is_csv("labels.parquet")
    (True, False)
    """
    compressions = ("", *COMPRESSIONS, XZ)
    endings = tuple(f".csv{ending}" for ending in compressions)
    name = url.lower()
    return name.endswith(endings)


def open_decompressed(url: str, stored: StoredBytes) -> Any:
    """Open the file as a parser reads it.

    Args:
        url: the file, whose name tells how it is compressed.
        stored: its bytes.
    """
    name = url.lower()
    if name.endswith(XZ):
        return XzBytes(stored)
    for ending, compression in COMPRESSIONS.items():
        if name.endswith(ending):
            file = pa.PythonFile(stored, mode="r")
            buffered = pa.BufferedInputStream(file, _BUFFER_BYTES)
            return pa.CompressedInputStream(buffered, compression)
    # Not through Arrow, which would copy what it gives on.
    return stored
