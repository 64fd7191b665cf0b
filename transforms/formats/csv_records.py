r"""Where each record of a CSV text begins and ends, and which records are malformed.

Why our own, and not a parser's word: on 1 000 short texts in random dialects, three in ten rows of
random letters, DuckDB 2.0 (`read_csv` with `store_rejects`) loses records in 5 with `strict_mode` and
in 39 without, refuses the file for one bad row in 136, and takes 149 for whole that end, or tear a
row apart, inside quotes; pyarrow 25 loses records in 25, takes text behind a closing quote into the
value, and gives the rows behind a NUL byte wrong numbers (`python -m tests.benchmarks.csv_readers`).
Neither says which record, by its number, it could not read. So records are found here, with numpy,
under exactly the dialect that the job declares; pyarrow is given well-formed ones without NUL, and
must find as many rows as it was given. To find them takes a tenth of the time of reading a text
without quotes.

A line ends with \n, \r\n or \r; a record ends with a line that ends outside quotes; a blank line is
no record, except in a file of one column, where it is one empty field.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_quotes import Quotes

_LINE_FEED, _RETURN = 10, 13
GLUED = "a closing quote has text behind it"
LONE_ESCAPE = "an escape inside quotes stands before neither a quote nor an escape"


@dataclass(frozen=True)
class Records:
    """The whole records of a text that begins with one.

    Attributes:
        text: them, and perhaps the beginning of one more.
        starts, stops: int64 (records,), where each begins, and where its line end does.
        nexts: int64 (records,), the place behind its line end.
        breaks: int64, where lines end inside quotes; also of the record that is not whole.
        end: the place behind the last whole record and the blank lines that follow it.
        quotes: None in a text without.
    """

    text: bytes
    dialect: CsvDialect
    starts: np.ndarray
    stops: np.ndarray
    nexts: np.ndarray
    breaks: np.ndarray
    end: int
    quotes: Quotes | None

    def __len__(self) -> int:
        return len(self.starts)

    def find(self, places: np.ndarray) -> np.ndarray:
        """Return the position (int64) of the record that each place is in; the next one at the end."""
        positions = np.searchsorted(self.starts, places, side="right") - 1
        return np.where(places < self.end, positions, len(self))

    @cached_property
    def malformed(self) -> dict[int, str]:
        """Return the positions of records with malformed quoting, and what is wrong with each."""
        if self.quotes is None:
            return {}
        with_lone_escape = self.find(self.quotes.find_lone_escapes())
        with_glued = self.find(self.quotes.find_glued())
        reasons = dict.fromkeys(with_lone_escape.tolist(), LONE_ESCAPE)
        # Of a record with both, this reason is the one that is told.
        reasons.update(dict.fromkeys(with_glued.tolist(), GLUED))
        # Nothing is said of the one that is not whole.
        reasons.pop(len(self), None)
        return reasons

    def find_torn(self) -> int | None:
        """Return the position of the first malformed record of several lines; None without one.

        Of its lines, nobody knows which are records of their own.
        """
        # Breaks first: to find what is malformed takes longer.
        if not len(self.breaks) or not self.malformed:
            return None
        with_breaks = self.find(self.breaks)
        torn = self.malformed.keys() & set(with_breaks.tolist())
        return min(torn, default=None)

    def count_fields(self) -> np.ndarray:
        """Return how many fields each record has: int64 (records,)."""
        codes = np.frombuffer(self.text, dtype=np.uint8)
        is_delimiter = codes == ord(self.dialect.delimiter)
        delimiters = np.flatnonzero(is_delimiter)
        if self.quotes is not None:
            is_text = self.quotes.are_open_at(delimiters)
            delimiters = delimiters[~is_text]
        before = np.searchsorted(delimiters, self.starts)
        behind = np.searchsorted(delimiters, self.stops)
        fields: np.ndarray = behind - before + 1
        return fields

    def select(self, positions: np.ndarray) -> pa.Buffer:
        """Return the text of some records, with doubled quotes in place of escapes.

        Args:
            positions: int64, of well-formed records, in their order.
        """
        nothing = np.empty(0, dtype=np.int64)
        escapes, gone = nothing, nothing
        if self.quotes is not None:
            escapes, gone = self.quotes.resolve_escapes()
        has_escapes = len(escapes) > 0 or len(gone) > 0
        # Usually: the text as it is, and no copy.
        if len(positions) == len(self) and not has_escapes:
            return pa.py_buffer(self.text).slice(0, self.end)

        codes = np.frombuffer(self.text, dtype=np.uint8).copy()
        # Each line end becomes a \n: a \r might find a \n of another record behind it.
        line_ends = self.stops[positions]
        codes[line_ends] = _LINE_FEED
        # No escapes are found under a dialect without quotes.
        if self.dialect.quote is not None:
            codes[escapes] = ord(self.dialect.quote)

        # +1 where a record begins, -1 behind its line end: the sum is 1 inside them.
        steps = np.zeros(len(codes) + 1, dtype=np.int8)
        starts = self.starts[positions]
        steps[starts] += 1
        steps[line_ends + 1] -= 1
        depths = np.cumsum(steps[:-1], dtype=np.int8)
        is_kept = depths > 0
        is_kept[gone] = False
        return pa.py_buffer(codes[is_kept])


def find_records(
    text: bytes, dialect: CsvDialect, *, is_last: bool, keeps_blank: bool = False
) -> Records:
    r"""Find the whole records of a text that begins with one.

    Args:
        text: UTF-8, or bytes of which only the ASCII ones matter.
        dialect: what it means.
        is_last: whether nothing follows: then it must end with a line end.
        keeps_blank: whether a blank line is a record.

    >>> records = find_records(b'1,"a\n"\n2,b\n3', CsvDialect(), is_last=False)
    >>> records.starts.tolist(), records.stops.tolist(), records.end
    ([0, 7], [6, 10], 11)
    """
    codes = np.frombuffer(text, dtype=np.uint8)
    stops, nexts = _find_line_ends(text, codes, is_last)
    breaks = np.empty(0, dtype=np.int64)
    quotes = None
    if dialect.quote is not None and dialect.quote.encode() in text:
        quotes = Quotes(codes, dialect.quote, dialect)
        is_open = quotes.are_open_at(stops)
        breaks = stops[is_open]
        stops = stops[~is_open]
        nexts = nexts[~is_open]

    # A record begins where the one before it ends; behind the last one begins one that is not whole.
    first = np.zeros(1, dtype=np.int64)
    starts = np.concatenate([first, nexts])
    end = int(starts[-1])
    starts = starts[:-1]

    is_filled = stops > starts
    if not keeps_blank and not is_filled.all():
        starts = starts[is_filled]
        stops = stops[is_filled]
        nexts = nexts[is_filled]
    return Records(
        text=text,
        dialect=dialect,
        starts=starts,
        stops=stops,
        nexts=nexts,
        breaks=breaks,
        end=end,
        quotes=quotes,
    )


def _find_line_ends(text: bytes, codes: np.ndarray, is_last: bool) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the place of each line end, and the place behind it; \r\n is one."""
    is_line_feed = codes == _LINE_FEED
    # Without any there are no pairs to look for.
    if b"\r" not in text:
        line_feeds = np.flatnonzero(is_line_feed)
        return line_feeds, line_feeds + 1

    is_return = codes == _RETURN
    is_pair = is_return[:-1] & is_line_feed[1:]
    is_first_byte = is_line_feed | is_return
    is_last_byte = is_first_byte.copy()
    # A \n behind a \r ends nothing more, and a \r before a \n is not the last byte of its line end.
    is_first_byte[1:] &= ~is_pair
    is_last_byte[:-1] &= ~is_pair
    # Of a \r at the end nobody knows yet whether a \n follows.
    if not is_last and text.endswith(b"\r"):
        is_first_byte[-1] = False
        is_last_byte[-1] = False
    first_bytes = np.flatnonzero(is_first_byte)
    last_bytes = np.flatnonzero(is_last_byte)
    return first_bytes, last_bytes + 1
