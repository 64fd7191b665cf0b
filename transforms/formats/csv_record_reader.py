"""The records of a text that is read block by block: each whole, and none longer than a block.

What a record holds is told elsewhere: fields of a CSV file by `csv_blocks.py`, JSON by `json_parse.py`.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from configs.errors import InputError
from transforms.formats.csv_dialect import BLOCK_BYTES, CsvDialect
from transforms.formats.csv_records import Records, find_records
from transforms.formats.csv_text import CsvText

_BLOCK_BYTES = BLOCK_BYTES
_LINE_ENDS = (b"\n", b"\r")
# Means nothing under any dialect.
_FILLER = b"\0"
# Of a block of rows shorter than 32 bytes some at a time: each may be rejected, with a record of its own.
_MOST_RECORDS = 1 << 18


class RecordReader:
    """The records of a file's text, a block at a time: first the header, where there is one.

    Args:
        url: the file, for errors.
        text: its text, not read yet.
        dialect: what it means.
        first_row: number of the first row behind the header.
    """

    def __init__(
        self,
        url: str,
        text: CsvText,
        dialect: CsvDialect,
        first_row: int,
    ) -> None:
        self._url = url
        self._text = text
        self._dialect = dialect
        self._next_row = first_row
        # Number of the line that the rest begins with; in a piece nobody asks for it.
        self._next_line = 1
        # Lines of the record that the rest ends, which are in it no more.
        self._dropped_lines = 0
        # Read, and not given to anybody yet.
        self._rest = b""
        self._is_last = False

    def read_header(self) -> Records:
        """Return the first record; what was read behind it stays for `read_blocks`.

        Raises:
            InputError: it is longer than a record may be.
        """
        # Names may hold line breaks where values do not.
        dialect = replace(self._dialect, newlines_in_values=True, null_values=())
        # Block by block: a long header, or blank lines before it, may take several.
        while True:
            self._read_more()
            records = find_records(self._rest, dialect, is_last=self._is_last)
            if len(records):
                break
            line = 1 + records.lines
            self._refuse_open_end("the header", records, line)
            if _is_overlong(records):
                raise _make_length_error(self._url, "the header")
            if self._is_last:
                raise InputError(
                    f"{self._url}: cannot be read as CSV: it is empty; "
                    "check the file, its compression and source.csv"
                )
        stop = int(records.nexts[0])
        # Found again in a text of its own: the parser takes all records of a text.
        text = self._rest[:stop]
        header = find_records(text, dialect, is_last=True)
        self._next_line += header.lines
        self._rest = self._rest[stop:]
        return header

    def read_blocks(self, is_column: bool) -> Iterator[Records]:
        """Yield the records in blocks.

        Args:
            is_column: whether records have one field, so that a blank line is a record.

        Raises:
            InputError: a record that does not end.
        """
        # What was read with the header comes first.
        while self._rest or not self._is_last:
            records = find_records(
                self._rest,
                self._dialect,
                is_last=self._is_last,
                keeps_blank=is_column,
                longest=_BLOCK_BYTES,
            )
            if len(records):
                yield from _cut_records(records, is_column)
            self._count(records)
            row = f"row {self._next_row}"
            self._refuse_open_end(row, records, self._next_line)
            if _is_overlong(records):
                self._drop_start(records)
            else:
                end = records.end
                self._rest = self._rest[end:]
            self._read_more()

    def _count(self, records: Records) -> None:
        self._next_row += len(records)
        if records.lines:
            self._next_line += records.lines + self._dropped_lines
            self._dropped_lines = 0

    def _drop_start(self, records: Records) -> None:
        """Keep of an overlong record only its end, behind a stand-in for the rest.

        The stand-in has the same quote open, or none, and is too long as well: so the record ends
        where it does, and is rejected, and memory stays bounded.
        """
        place = self._find_cut()
        breaks = records.breaks
        is_of_it = breaks >= records.end
        is_before = breaks < place
        dropped = np.count_nonzero(is_of_it & is_before)
        self._dropped_lines += int(dropped)
        opening = b""
        if records.is_open_at(place):
            # Only a quote of the dialect's can be open.
            quote = str(self._dialect.quote)
            opening = quote.encode()
        # One more than a record may have: what follows may be no more than its line end.
        filler = _FILLER * (_BLOCK_BYTES + 1)
        kept = self._rest[place:]
        parts = [opening, filler, kept]
        self._rest = b"".join(parts)

    def _find_cut(self) -> int:
        r"""Return the place of the last byte that means the same whatever stands before it.

        Of quotes and escapes that is not so, and a \n may be the end of a \r\n.

        Raises:
            InputError: there is none as far as a record may be long.
        """
        quote = self._dialect.quote or ""
        escape = self._dialect.escape or ""
        meaningful = f"{quote}{escape}".encode()
        plain = self._rest
        # Of nothing `rstrip` would make all blanks.
        if meaningful:
            plain = plain.rstrip(meaningful)
        place = len(plain) - 1
        if plain.endswith(b"\r\n"):
            place -= 1
        kept_bytes = len(self._rest) - place
        if kept_bytes > _BLOCK_BYTES:
            position = f"line {self._next_line}: row {self._next_row}"
            raise _make_length_error(self._url, position)
        return place

    def _read_more(self) -> None:
        """Read another block behind the rest; at the end, see to it that the last line ends."""
        blocks = [self._rest]
        # A read may give fewer bytes than were asked for; only none at all means the end.
        missing = _BLOCK_BYTES
        while missing > 0 and not self._is_last:
            more = self._text.read(missing)
            blocks.append(more)
            missing -= len(more)
            self._is_last = not more
        rest = b"".join(blocks)
        ends_line = rest.endswith(_LINE_ENDS)
        # An empty rest is no line.
        if self._is_last and rest and not ends_line:
            rest += b"\n"
        self._rest = rest

    def _refuse_open_end(self, what: str, records: Records, line: int) -> None:
        """Refuse a file that ends inside quotes: nobody knows how many rows there are in them."""
        is_whole = records.end == len(records.text)
        if not self._is_last or is_whole:
            return
        raise InputError(
            f"{self._url}: line {line}: {what}: a quote opens a field and does not close it, "
            "so that all rows behind it would be lost; close it, or double it inside a quoted "
            "field; where no value holds a line break, --set source.csv.newlines_in_values=false "
            "makes each line a row, and such a quote costs its row alone"
        )


def _cut_records(records: Records, is_column: bool) -> Iterator[Records]:
    """Yield records as they are, or some at a time where they are very many."""
    if len(records) <= _MOST_RECORDS:
        yield records
        return
    count = len(records)
    for first in range(0, count, _MOST_RECORDS):
        stop = min(first + _MOST_RECORDS, count)
        begins = records.starts[first]
        ends = records.nexts[stop - 1]
        text = records.text[begins:ends]
        # Found again, as their places are others in a text of their own.
        yield find_records(
            text,
            records.dialect,
            is_last=True,
            keeps_blank=is_column,
            longest=_BLOCK_BYTES,
        )


def _is_overlong(records: Records) -> bool:
    """Tell whether the record that is not whole has more bytes than a record may have."""
    rest = len(records.text) - records.end
    # A \r may be the line end, which is none of it.
    return rest > _BLOCK_BYTES + 1


def _make_length_error(url: str, place: str) -> InputError:
    return InputError(
        f"{url}: {place}: is a record of more than {_BLOCK_BYTES:,} bytes; "
        "is it CSV, and is each quote closed?"
    )
