r"""Where each record of a CSV text begins and ends, and which records are malformed.

Why our own, and not a parser's word: on 1 000 short texts in random dialects, three in ten rows of
random letters, DuckDB 2.0 (`read_csv` with `store_rejects`) loses records in 6 with `strict_mode` and
in 46 without, refuses the file for one bad row in 145, and takes 121 for whole that end inside
quotes; pyarrow 25 loses records in 29, takes text behind a closing quote into the value, and gives
the rows behind a NUL byte wrong numbers (`python -m tests.benchmarks.csv_readers`).
Neither says which record, by its number, it could not read. So records are found here, with numpy,
under exactly the dialect that the job declares; pyarrow is given well-formed ones without NUL, and
must find as many rows as it was given. To find them takes a sixth of the time of reading a text
without quotes, and a third of one whose texts are quoted.

A line ends with \n, \r\n or \r; a record ends with a line that ends outside quotes, or, where the
dialect says that no value holds a line break, with every line. So each malformed record is one
record, of one or several lines, and where the next one begins is never in doubt. A blank line is no
record, except in a file of one column, where it is one empty field.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from transforms.formats.csv_bits import (
    Bits,
    Places,
    find_bytes,
    find_places,
    move_to_next,
    move_to_previous,
    set_bit,
)
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_quotes import Quotes

# Numbers of records in a text, int64.
Positions: TypeAlias = np.ndarray
# One for each record, int64.
Counts: TypeAlias = np.ndarray
_NOWHERE = np.empty(0, dtype=np.int64)
_START = np.zeros(1, dtype=np.int64)
_LINE_FEED = ord("\n")
GLUED = "a closing quote has text behind it"
UNCLOSED = (
    "a quote opens a field and does not close it in its line, "
    "and source.csv.newlines_in_values is false"
)
OVERLONG = "more bytes than a record may have"
LONE_ESCAPE = "an escape inside quotes stands before neither a quote nor an escape"


@dataclass(frozen=True)
class Records:
    """The whole records of a text that begins with one.

    Attributes:
        text: them, and perhaps the beginning of one more.
        starts, stops: int64 (records,), where each begins, and where its line end does.
        nexts: int64 (records,), the place behind its line end.
        breaks: int64, where lines end inside quotes and the record goes on; also of the record that
            is not whole.
        unclosed: int64, where lines end inside quotes and so does the record.
        end: the place behind the last whole record and the blank lines that follow it.
        lines: how many lines there are up to there.
        longest: how many bytes a record may have; None for any number.
        quotes: None in a text without.
    """

    text: bytes
    dialect: CsvDialect
    starts: Places
    stops: Places
    nexts: Places
    breaks: Places
    unclosed: Places
    end: int
    lines: int
    longest: int | None
    quotes: Quotes | None

    def __len__(self) -> int:
        return len(self.starts)

    def find(self, places: Places) -> Positions:
        """Return the position of the record that each place is in; the next one at the end."""
        begun = np.searchsorted(self.starts, places, side="right")
        positions = begun - 1
        is_whole = places < self.end
        behind_all = len(self)
        return np.where(is_whole, positions, behind_all)

    @cached_property
    def malformed(self) -> dict[int, str]:
        """Return the positions of records that no parser is given, and what is wrong with each."""
        # Of an overlong record nothing else is told: the reader may have seen its end alone.
        positions = self._find_overlong()
        overlong = dict.fromkeys(positions, OVERLONG)
        return self._find_malformed_quoting() | overlong

    def _find_overlong(self) -> list[int]:
        if self.longest is None:
            return []
        lengths = self.stops - self.starts
        is_overlong = lengths > self.longest
        positions: list[int] = np.flatnonzero(is_overlong).tolist()
        return positions

    def _find_malformed_quoting(self) -> dict[int, str]:
        quotes = self.quotes
        if quotes is None:
            return {}
        places_by_reason = {
            LONE_ESCAPE: quotes.find_lone_escapes(),
            UNCLOSED: self.unclosed,
            GLUED: quotes.find_glued(),
        }
        # Of a record with several reasons the last one is told.
        reasons: dict[int, str] = {}
        for reason, places in places_by_reason.items():
            found = self.find(places)
            positions = found.tolist()
            reasons |= dict.fromkeys(positions, reason)
        # Nothing is said of the one that is not whole.
        not_whole = len(self)
        reasons.pop(not_whole, None)
        return reasons

    def count_lines(self, positions: Positions) -> Counts:
        """Return how many lines each of some records has."""
        starts = self.starts[positions]
        stops = self.stops[positions]
        before = np.searchsorted(self.breaks, starts)
        behind = np.searchsorted(self.breaks, stops)
        lines: Counts = behind - before + 1
        return lines

    def is_open_at(self, place: int) -> bool:
        """Tell whether a place is inside quotes."""
        if self.quotes is None:
            return False
        places = np.array([place])
        (is_open,) = self.quotes.are_open_at(places)
        return bool(is_open)

    def count_fields(self) -> Counts:
        """Return how many fields each record has."""
        codes = np.frombuffer(self.text, dtype=np.uint8)
        delimiter = ord(self.dialect.delimiter)
        is_delimiter = codes == delimiter
        delimiters = np.flatnonzero(is_delimiter)
        if self.quotes is not None:
            is_text = self.quotes.are_open_at(delimiters)
            delimiters = delimiters[~is_text]
        before = np.searchsorted(delimiters, self.starts)
        behind = np.searchsorted(delimiters, self.stops)
        fields: Counts = behind - before + 1
        return fields

    def select(self, positions: Positions) -> pa.Buffer:
        """Return the text of some records, with doubled quotes in place of escapes.

        Args:
            positions: int64, of well-formed records, in their order.
        """
        escapes = gone = _NOWHERE
        if self.quotes is not None:
            escapes, gone = self.quotes.resolve_escapes()
        has_escapes = escapes.size > 0 or gone.size > 0
        takes_all = len(positions) == len(self)
        # Usually: the text as it is, and no copy.
        if takes_all and not has_escapes:
            whole_text = pa.py_buffer(self.text)
            return whole_text.slice(0, self.end)

        stored = np.frombuffer(self.text, dtype=np.uint8)
        codes = stored.copy()
        # Each line end becomes a \n: a \r might find a \n of another record behind it.
        line_ends = self.stops[positions]
        codes[line_ends] = _LINE_FEED
        # No escapes are found under a dialect without quotes.
        quote = self.dialect.quote
        if quote is not None:
            codes[escapes] = ord(quote)

        # +1 where a record begins, -1 behind its line end: the sum is 1 inside them.
        size = len(codes) + 1
        steps = np.zeros(size, dtype=np.int8)
        starts = self.starts[positions]
        behind = line_ends + 1
        steps[starts] += 1
        steps[behind] -= 1
        in_text = steps[:-1]
        depths = np.cumsum(in_text, dtype=np.int8)
        is_kept = depths > 0
        is_kept[gone] = False
        kept = codes[is_kept]
        return pa.py_buffer(kept)


def find_records(
    text: bytes,
    dialect: CsvDialect,
    *,
    is_last: bool,
    keeps_blank: bool = False,
    longest: int | None = None,
) -> Records:
    r"""Find the whole records of a text that begins with one.

    Args:
        text: UTF-8, or bytes of which only the ASCII ones matter.
        dialect: what it means.
        is_last: whether nothing follows: then it must end with a line end.
        keeps_blank: whether a blank line is a record.
        longest: how many bytes a record may have; None for any number.

    >>> records = find_records(b'1,"a\n"\n2,b\n3', CsvDialect(), is_last=False)
    >>> records.starts.tolist(), records.stops.tolist(), records.end
    ([0, 7], [6, 10], 11)
    """
    codes = np.frombuffer(text, dtype=np.uint8)
    line_bytes, stops, nexts = _find_line_ends(text, codes, is_last)
    line_nexts = nexts
    quotes = _find_quotes(text, codes, dialect, line_bytes, stops)
    breaks = unclosed = _NOWHERE
    if quotes is not None:
        is_open = quotes.are_open_at(stops)
        if not dialect.newlines_in_values:
            unclosed = stops[is_open]
        else:
            breaks = stops[is_open]
            stops = stops[~is_open]
            nexts = nexts[~is_open]

    # A record begins where the one before it ends; behind the last one begins one that is not whole.
    parts = [_START, nexts]
    begins = np.concatenate(parts)
    starts = begins[:-1]
    end = int(begins[-1])
    lines_before = np.searchsorted(line_nexts, end, side="right")
    lines = int(lines_before)

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
        unclosed=unclosed,
        end=end,
        lines=lines,
        longest=longest,
        quotes=quotes,
    )


def _find_quotes(
    text: bytes,
    codes: np.ndarray,
    dialect: CsvDialect,
    line_bytes: Bits,
    line_ends: Places,
) -> Quotes | None:
    """Return the quotes of a text; None without any."""
    quote = dialect.quote
    if quote is None or quote.encode() not in text:
        return None
    quotes = Quotes(codes, quote, dialect, line_bytes)
    if dialect.newlines_in_values:
        return quotes
    # Usually no line leaves one open; where each line is a record, such a one ends with its line.
    is_open = quotes.are_open_at(line_ends)
    if not is_open.any():
        return quotes
    return Quotes(codes, quote, dialect, line_bytes, line_ends)


class _LineEnds(NamedTuple):
    r"""Where lines end: at each \n, \r\n or \r.

    Attributes:
        line_bytes: the bits of \n and \r.
        stops: the place of each line end.
        nexts: the one behind it.
    """

    line_bytes: Bits
    stops: Places
    nexts: Places


def _find_line_ends(
    text: bytes,
    codes: np.ndarray,
    is_last: bool,
) -> _LineEnds:
    # Without any there are no pairs to look for.
    if b"\r" not in text:
        (line_feeds,) = find_bytes(codes, [b"\n"])
        places = find_places(line_feeds)
        return _LineEnds(line_feeds, places, places + 1)

    line_feeds, returns = find_bytes(codes, [b"\n", b"\r"])
    line_bytes = line_feeds | returns
    # Of a \r at the end nobody knows yet whether a \n follows.
    if not is_last and text.endswith(b"\r"):
        last = len(codes) - 1
        set_bit(returns, last, False)
    # A \n behind a \r ends nothing more, and a \r before a \n is not the last byte of its line end.
    is_behind_return = move_to_next(returns)
    first_bytes = returns | (line_feeds & ~is_behind_return)
    is_before_line_feed = move_to_previous(line_feeds)
    last_bytes = line_feeds | (returns & ~is_before_line_feed)
    stops = find_places(first_bytes)
    lasts = find_places(last_bytes)
    return _LineEnds(line_bytes, stops, lasts + 1)
