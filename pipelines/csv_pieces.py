r"""Cut a plain CSV file, no value of which holds a line break, into pieces of whole rows, and number the rows.

The file is read once, by several threads, to count the lines that are not blank: these are its rows. So each row has the number that it
has in the whole file, and a reader that finds another number of rows in a piece knows that a value does hold a line break.
A file is cut behind a \n only; one whose lines end with a lone \r stays whole.
"""

import codecs
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
import re

import numpy as np

from configs.errors import InputError
from storage.files import InputFile
from transforms.csv_bytes import StoredBytes, is_compressed
from transforms.csv_text import BLOCK_BYTES, CsvFormat

PIECE_BYTES = 32 << 20  # a worker reads one in a fraction of a second; 10 GB make 300
_THREADS = 8
_READ_BYTES = 8 << 20
_COUNTED_BYTES = 1 << 17  # stay in a core's cache
_LINE = re.compile(rb"[\r\n]*[^\r\n]+(?:\r\n|\r|\n)?")


@dataclass(frozen=True)
class CsvPiece:
    """Rows of a file, by number and by place: `bytes` from `first_byte` on; the file's header takes `header_bytes`."""

    header_bytes: int
    first_byte: int
    bytes: int
    first_row: int
    rows: int


@dataclass(frozen=True)
class _Range:
    r"""What a range of bytes holds: where the first line behind a \n starts, if one does, and how many rows start before and from there."""

    boundary: int | None
    rows_before: int
    rows_after: int


def cut_csv(file: InputFile, header: Sequence[str], csv: CsvFormat) -> tuple[CsvPiece, ...]:
    """The pieces of a file, about `PIECE_BYTES` each; none when it stays whole.

    Args:
        header: the file's column names.

    Raises:
        InputError: it cannot be read, or becomes shorter meanwhile.
    """
    if csv.newlines_in_values or file.bytes <= PIECE_BYTES or is_compressed(file.url) or not _one_byte_ends_a_line(csv):
        return ()
    header_bytes = _header_bytes(file.url, header, csv)
    length = file.bytes - header_bytes
    if length <= PIECE_BYTES:
        return ()
    count = -(-length // PIECE_BYTES)
    cuts = [header_bytes + length * i // count for i in range(count + 1)]
    with ThreadPoolExecutor(_THREADS) as pool:
        ranges = list(pool.map(lambda start, stop: _look_at(file.url, start, stop), cuts, cuts[1:]))
    pieces = _pieces(ranges, header_bytes, file.bytes)
    return pieces if len(pieces) > 1 else ()


def _one_byte_ends_a_line(csv: CsvFormat) -> bool:
    r"""Whether \n and \r are one byte each, which is never a part of another character: UTF-8, and what has one byte for each character."""
    if csv.is_utf8:
        return True
    decoder = codecs.getincrementaldecoder(csv.encoding)
    characters = [decoder("replace").decode(bytes([code])) for code in range(256)]
    single = all(len(character) == 1 for character in characters)
    return single and [characters.index(end) for end in "\r\n" if characters.count(end) == 1] == [13, 10]


def _header_bytes(url: str, header: Sequence[str], csv: CsvFormat) -> int:
    """How many bytes there are to the end of the header, some of whose names may hold line breaks."""
    with closing(StoredBytes(url, ahead=False)) as stored:
        start = stored.read(BLOCK_BYTES)
    mark = len(codecs.BOM_UTF8) if csv.is_utf8 and start.startswith(codecs.BOM_UTF8) else 0
    lines = len(re.findall(r"[^\r\n]+", "".join(f'"{name}"' for name in header)))
    return next(islice(_LINE.finditer(start, mark), lines - 1, None)).end()


def _look_at(url: str, start: int, stop: int) -> _Range:
    boundary, before, after = None, 0, 0
    position, last = start - 1, b""
    for text in _texts(url, position, stop):
        text = last + text
        at = text.find(b"\n", 0, -1) if boundary is None else 0
        if at < 0:
            before += _rows_starting(text)
        else:
            boundary = position + at + 1 if boundary is None else boundary
            before += _rows_starting(text[: at + 1])
            after += _rows_starting(text[at:])
        position, last = position + len(text) - 1, text[-1:]
    return _Range(boundary, before, after)


def _texts(url: str, start: int, stop: int) -> Iterator[bytes]:
    try:
        with closing(StoredBytes(url, ahead=False)) as stored:
            while start < stop:
                text = stored.read_at(start, min(_READ_BYTES, stop - start))
                start += len(text)
                for at in range(0, len(text), _COUNTED_BYTES):
                    yield text[at : at + _COUNTED_BYTES]
    except OSError as error:
        raise InputError(f"{url}: cannot be read: {error.strerror}; start the run again") from error


def _rows_starting(text: bytes) -> int:
    """How many lines that are not blank start behind the first byte."""
    codes = np.frombuffer(text, dtype=np.uint8)
    ends = codes == 10
    if b"\r" in text:
        ends |= codes == 13
    return int(np.count_nonzero(ends[:-1] > ends[1:]))


def _pieces(ranges: Sequence[_Range], header_bytes: int, file_bytes: int) -> tuple[CsvPiece, ...]:
    """A range is of the piece that starts in it, and what it has before that is of the one before; the first starts with the range."""
    pieces: list[CsvPiece] = []
    for number, found in enumerate(ranges):
        if number == 0:
            pieces.append(CsvPiece(header_bytes, header_bytes, 0, 0, found.rows_before + found.rows_after))
            continue
        before = pieces[-1]
        before = pieces[-1] = replace(before, rows=before.rows + found.rows_before)
        if found.boundary is not None:
            first_row = before.first_row + before.rows
            pieces.append(CsvPiece(header_bytes, found.boundary, 0, first_row, found.rows_after))
    stops = [piece.first_byte for piece in pieces[1:]] + [file_bytes]
    return tuple(replace(piece, bytes=stop - piece.first_byte) for piece, stop in zip(pieces, stops, strict=True))
