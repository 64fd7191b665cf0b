r"""Cut a plain CSV file, no value of which holds a line break, into pieces of whole rows.

The file is read once, by several threads, to count the lines that are not blank: these are its
rows, whatever quotes are in them. So each row has the number that it has in the whole file. A file
is cut behind a \n only; one whose lines end with a lone \r stays whole, and so does one of one
column, in which a blank line is a row. Where the job does not say that no value holds a line break,
it is known of a file in which there is no quote.

    ranges  0                | 1              | 2
    rows    aaaa bbbb cccc dd|dd eeee ffff ggg|g hhhh
    pieces  [ 0                ] [ 1           ] [ 2
"""

import codecs
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
import math
import re

import numpy as np

from configs.errors import InputError
from storage import files
from storage.input_file import InputFile
from transforms.formats.csv_archives import is_compressed
from transforms.formats.csv_bytes import CsvPiece, StoredBytes
from transforms.formats.csv_dialect import BLOCK_BYTES, CsvDialect

# A worker reads one in a fraction of a second; 10 GB make 300.
PIECE_BYTES = 32 << 20
# A smaller file is read by one worker in about a second, which is not worth a look for quotes: such files
# come in numbers.
_LOOKED_THROUGH_BYTES = 128 << 20
# What is read through only to see some rows of its middle: a quarter of a second, or a second of a store.
_MOST_SAMPLED_BYTES = 256 << 20
_MOST_SAMPLED_OF_STORE = 32 << 20
_SAMPLED_PIECES = 16
_THREADS = 8
_READ_BYTES = 8 << 20
# Stay in a core's cache.
_COUNTED_BYTES = 1 << 17
_LINE = re.compile(rb"[\r\n]*[^\r\n]+(?:\r\n|\r|\n)?")
_LINE_FEED = ord("\n")
_RETURN = ord("\r")


@dataclass(frozen=True)
class _Range:
    r"""What a range of bytes holds.

    Attributes:
        boundary: where the first line behind a \n starts; None where none does.
        rows_before, rows_after: how many rows start before it, and from there on.
    """

    boundary: int | None
    rows_before: int
    rows_after: int


def split_csv(
    file: InputFile,
    header: Sequence[str],
    dialect: CsvDialect,
) -> tuple[CsvPiece, ...]:
    """Return the pieces of a file, about `PIECE_BYTES` each; none when it stays whole.

    Args:
        file: the file.
        header: its column names.
        dialect: what its text means.

    Raises:
        InputError: it cannot be read, or becomes shorter meanwhile.
    """
    # In a file of one column a blank line is a row, which is not what is counted here.
    if len(header) == 1 or not _may_be_cut(file, dialect):
        return ()
    header_bytes = _count_header_bytes(file.url, header, dialect)
    if _has_quotes_that_matter(file, header_bytes, dialect):
        return ()
    return cut_lines(file, header_bytes)


def cut_lines(file: InputFile, header_bytes: int = 0) -> tuple[CsvPiece, ...]:
    """Return the pieces of a plain file each of whose lines is a row; none when it stays whole.

    Args:
        file: the file.
        header_bytes: what stands before the first row.

    Raises:
        InputError: it cannot be read, or becomes shorter meanwhile.
    """
    url = file.url
    file_bytes = file.bytes
    length = file_bytes - header_bytes
    if length <= PIECE_BYTES:
        return ()
    count = math.ceil(length / PIECE_BYTES)
    ranges = _look_at_ranges(url, header_bytes, file_bytes, count)
    pieces = _make_pieces(ranges, header_bytes, file_bytes)
    # One alone is the whole file.
    if len(pieces) == 1:
        return ()
    return pieces


def split_for_sample(
    file: InputFile,
    header: Sequence[str],
    dialect: CsvDialect,
) -> tuple[CsvPiece, ...]:
    """Return pieces of a file of which some rows are looked at; none where it is not safe to cut it.

    Where values may hold line breaks it is, as long as there is no quote behind the header.

    Args:
        file: the file, which `split_csv` left whole.
        header: its column names.
        dialect: what its text means.

    Raises:
        InputError: it cannot be read, or becomes shorter meanwhile.
    """
    if not _may_be_sampled(file):
        return ()
    # In a file of one column a blank line is a row, which is not what is counted here.
    if len(header) == 1 or not _ends_lines_with_one_byte(dialect):
        return ()
    header_bytes = _count_header_bytes(file.url, header, dialect)
    if _has_quotes_that_matter(file, header_bytes, dialect):
        return ()
    return _cut_for_sample(file, header_bytes)


def cut_lines_for_sample(file: InputFile, header_bytes: int = 0) -> tuple[CsvPiece, ...]:
    """Return pieces of a file each of whose lines is a row; none where it is too large for that.

    Args:
        file: the file.
        header_bytes: what stands before the first row.

    Raises:
        InputError: it cannot be read, or becomes shorter meanwhile.
    """
    if not _may_be_sampled(file):
        return ()
    return _cut_for_sample(file, header_bytes)


def _has_quotes_that_matter(file: InputFile, header_bytes: int, dialect: CsvDialect) -> bool:
    """Tell whether a line break behind the header may be one inside quotes."""
    if not _may_hold_line_breaks(dialect):
        return False
    assert dialect.quote is not None  # noqa: S101 - without one no value holds a line break
    stored_quote = dialect.quote.encode(dialect.encoding)
    texts = _read_texts(file.url, header_bytes, file.bytes)
    # Most files with quotes have one in their first rows, and no more is read of them.
    return any(stored_quote in text for text in texts)


def _is_worth_a_look(file: InputFile) -> bool:
    """Tell whether to read all of a file once more, to see whether there are quotes in it."""
    # A store would be asked for all of it twice.
    return files.is_local(file.url) and file.bytes > _LOOKED_THROUGH_BYTES


def _may_hold_line_breaks(dialect: CsvDialect) -> bool:
    return dialect.newlines_in_values and dialect.quote is not None


def _may_be_sampled(file: InputFile) -> bool:
    most_bytes = _MOST_SAMPLED_OF_STORE
    if files.is_local(file.url):
        most_bytes = _MOST_SAMPLED_BYTES
    is_small = file.bytes <= most_bytes
    return is_small and not is_compressed(file.url)


def _cut_for_sample(file: InputFile, header_bytes: int) -> tuple[CsvPiece, ...]:
    url = file.url
    file_bytes = file.bytes
    # A range of no bytes has no row.
    length = file_bytes - header_bytes
    count = min(_SAMPLED_PIECES, length)
    if count < 1:
        return ()
    ranges = _look_at_ranges(url, header_bytes, file_bytes, count)
    return _make_pieces(ranges, header_bytes, file_bytes)


def _look_at_ranges(
    url: str,
    start: int,
    stop: int,
    count: int,
) -> list[_Range]:
    """Count the rows of so many ranges of about equal size, several ranges at a time."""
    length = stop - start
    cuts = []
    for number in range(count + 1):
        part = length * number // count
        cuts.append(start + part)
    look_at = partial(_look_at, url, start)
    starts = cuts[:-1]
    stops = cuts[1:]
    # Threads, because reading and numpy's counting let go of the interpreter's lock.
    with ThreadPoolExecutor(_THREADS) as pool:
        ranges = pool.map(look_at, starts, stops)
        return list(ranges)


def _may_be_cut(file: InputFile, dialect: CsvDialect) -> bool:
    if is_compressed(file.url):
        return False
    if _may_hold_line_breaks(dialect) and not _is_worth_a_look(file):
        return False
    # So much is one piece, and its header need not be read.
    if file.bytes <= PIECE_BYTES:
        return False
    return _ends_lines_with_one_byte(dialect)


def _ends_lines_with_one_byte(dialect: CsvDialect) -> bool:
    r"""Tell whether \n and \r are one byte each, which is never a part of another character.

    So it is in UTF-8, and in what has one byte for each character.
    """
    if dialect.is_utf8:
        return True
    decoder = codecs.getincrementaldecoder(dialect.encoding)
    characters = []
    for code in range(256):
        # A new one for each byte: a decoder remembers what may be half a character.
        one_byte_decoder = decoder("replace")
        one_byte = bytes([code])
        character = one_byte_decoder.decode(one_byte)
        if len(character) != 1:
            return False
        characters.append(character)
    # In some encodings of old machines the two have other codes, or several.
    codes = {"\r": _RETURN, "\n": _LINE_FEED}
    for character, code in codes.items():
        has_its_code = characters[code] == character
        times = characters.count(character)
        if not has_its_code or times != 1:
            return False
    return True


def _count_header_bytes(url: str, header: Sequence[str], dialect: CsvDialect) -> int:
    """Return how many bytes there are to the end of the header.

    Some of its names may hold line breaks.
    """
    with closing(StoredBytes(url, ahead=False)) as stored:
        start = stored.read(BLOCK_BYTES)
    mark_bytes = 0
    if dialect.is_utf8 and start.startswith(codecs.BOM_UTF8):
        mark_bytes = len(codecs.BOM_UTF8)
    # In quotes, so that a name that is empty, or begins with a line break, makes the lines that it
    # does.
    quoted = [f'"{name}"' for name in header]
    text = "".join(quoted)
    lines = re.findall(r"[^\r\n]+", text)
    count = len(lines)
    stored_lines = _LINE.finditer(start, mark_bytes)
    of_header = islice(stored_lines, count)
    *_, last_line = of_header
    return last_line.end()


def _look_at(
    url: str,
    first: int,
    start: int,
    stop: int,
) -> _Range:
    """Count the rows that start in a range of a file's bytes.

    Args:
        url: the file.
        first: where its first row starts.
        start, stop: the range.
    """
    boundary = None
    rows_before = 0
    rows_after = 0
    # From one byte earlier: a line starts behind its line feed.
    position = start - 1
    read_from = position
    last = b""
    # What stands before the first row ends no line where it is a byte-order mark.
    if start == first:
        read_from = start
        last = b"\n"
    for read in _read_texts(url, read_from, stop):
        text = last + read
        if boundary is None:
            # Not as the last byte: then the line starts in the next text.
            line_feed = text.find(b"\n", 0, -1)
            if line_feed < 0:
                rows_before += _count_starts(text)
            else:
                behind = line_feed + 1
                boundary = position + behind
                rows_before += _count_starts(text[:behind])
                rows_after += _count_starts(text[line_feed:])
        else:
            rows_after += _count_starts(text)
        # The last byte again, as what follows it tells whether a row starts.
        position += len(text) - 1
        last = text[-1:]
    return _Range(boundary, rows_before, rows_after)


def _read_texts(url: str, start: int, stop: int) -> Iterator[bytes]:
    try:
        with closing(StoredBytes(url, ahead=False)) as stored:
            while start < stop:
                left = stop - start
                size = min(_READ_BYTES, left)
                text = stored.read_at(start, size)
                read_bytes = len(text)
                start += read_bytes
                for at in range(0, read_bytes, _COUNTED_BYTES):
                    end = at + _COUNTED_BYTES
                    yield text[at:end]
    except OSError as error:
        raise InputError(f"{url}: cannot be read: {error.strerror}; start the run again") from error


def _count_starts(text: bytes) -> int:
    """Return how many lines that are not blank start behind the first byte."""
    codes = np.frombuffer(text, dtype=np.uint8)
    is_end = codes == _LINE_FEED
    if b"\r" in text:
        is_end |= codes == _RETURN
    # A line starts where an end is followed by something else.
    before = is_end[:-1]
    behind = is_end[1:]
    starts = before > behind
    return int(np.count_nonzero(starts))


def _make_pieces(
    ranges: Sequence[_Range],
    header_bytes: int,
    file_bytes: int,
) -> tuple[CsvPiece, ...]:
    """Return pieces of whole rows, one for each range in which a line starts.

    What a range has before that is of the piece before; the first one starts with its range.
    """
    first_range = ranges[0]
    first_piece = CsvPiece(
        header_bytes,
        first_byte=header_bytes,
        bytes=0,
        first_row=0,
        rows=first_range.rows_before + first_range.rows_after,
    )
    pieces = [first_piece]
    for found in ranges[1:]:
        last = pieces[-1]
        rows = last.rows + found.rows_before
        last = replace(last, rows=rows)
        pieces[-1] = last
        # Where no line starts, all of the range is of the piece before.
        if found.boundary is None:
            continue
        piece = CsvPiece(
            header_bytes,
            first_byte=found.boundary,
            bytes=0,
            first_row=last.first_row + last.rows,
            rows=found.rows_after,
        )
        pieces.append(piece)

    # Only now is it known where each one ends.
    stops = [piece.first_byte for piece in pieces[1:]]
    stops.append(file_bytes)
    whole = []
    for piece, stop in zip(pieces, stops, strict=True):
        length = stop - piece.first_byte
        sized = replace(piece, bytes=length)
        whole.append(sized)
    return tuple(whole)
