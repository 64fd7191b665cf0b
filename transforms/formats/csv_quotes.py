r"""What each quote of a CSV text does: it opens a field, closes one, or is a letter of it.

A quote opens where a field begins, and nowhere else: `5" pipe` is a text with a quote in it. So what
a quote does depends on all quotes before it. It is found without a loop over them: quotes that stand
side by side are taken as one run, and a run either changes what is open (an odd run where a field
begins), closes whatever is (an odd run elsewhere), or leaves it as it is (an even one).

    text     1,"a ""b"" c",5" pipe,"d"e,"f"
    runs       1  2  3  4   5      6 7  8 9     1, 6, 8 open; 4, 7, 9 close; 7 has text behind it
    open       1  1  1  0   0      1 0  1 0

Where every quote stands beside another one, a delimiter or a line end, as most programs write them,
quotes open and close in turn, whatever the runs; to see that takes a fifth of the time.

Where each line is a record, the end of a line closes whatever is open: no line depends on another.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from transforms.formats.csv_bits import (
    fill_between,
    find_bytes,
    find_places,
    look_up,
    move_to_next,
    move_to_previous,
    set_bit,
)
from transforms.formats.csv_dialect import CsvDialect


@dataclass(frozen=True)
class _Runs:
    """Bytes of one value that stand side by side.

    Attributes:
        bits: uint64, one bit for each byte of the text.
        firsts: int64 (runs,), the place of each run's first byte.
        lengths: int64 (runs,).
    """

    bits: np.ndarray
    firsts: np.ndarray
    lengths: np.ndarray

    @property
    def places(self) -> np.ndarray:
        """Return the place (int64) of each byte."""
        return find_places(self.bits)

    @property
    def stops(self) -> np.ndarray:
        """Return the place behind each run."""
        return self.firsts + self.lengths

    @property
    def are_odd(self) -> np.ndarray:
        """Tell of each run (bool) whether its length is odd."""
        return _are_odd(self.lengths)


class Quotes:
    """The quotes of a text that begins with a record, and its escapes.

    Args:
        codes: uint8, the text.
        quote: the dialect's.
        dialect: what the text means.
        line_bytes: the bits of its line feeds and returns.
        line_ends: int64, the place of each, if it closes what is open; None where nothing does.
    """

    def __init__(
        self,
        codes: np.ndarray,
        quote: str,
        dialect: CsvDialect,
        line_bytes: np.ndarray,
        line_ends: np.ndarray | None = None,
    ) -> None:
        self._codes = codes
        self._dialect = dialect
        self._line_ends = line_ends
        delimiter = dialect.delimiter
        values = [quote.encode(), delimiter.encode()]
        # Bits, one for each byte.
        quotes, delimiters = find_bytes(codes, values)
        self._quotes = quotes
        self._field_ends = delimiters | line_bytes
        # The bits of what is inside quotes; None where these do not open and close in turn.
        self._inside: np.ndarray | None = None
        if line_ends is None:
            self._inside = self._find_inside()
        if self._inside is None:
            self._runs = _find_runs(self._quotes)
            self._follow_runs()

    def are_open_at(self, places: np.ndarray) -> np.ndarray:
        """Tell of each place (int64), of anything but quotes, whether it is inside quotes."""
        if self._inside is not None:
            return look_up(self._inside, places)
        firsts = self._runs.firsts
        runs_before = np.searchsorted(firsts, places)
        is_open = self._open_after[runs_before]
        line_ends = self._line_ends
        if line_ends is None:
            return is_open
        # What a line leaves open, its end has closed.
        lines = np.searchsorted(line_ends, places)
        lines_of_runs = np.searchsorted(line_ends, firsts)
        # By the number of runs before, as `_open_after`: without any there is no line.
        lines_of_last_runs = np.concatenate([[-1], lines_of_runs])
        in_same_line: np.ndarray = lines_of_last_runs[runs_before] == lines
        return is_open & in_same_line

    def find_glued(self) -> np.ndarray:
        """Return the places (int64) of closing quotes with text behind them."""
        if self._inside is not None:
            return np.empty(0, dtype=np.int64)
        return self._runs.firsts[self._glued]

    def find_lone_escapes(self) -> np.ndarray:
        """Return the places (int64) of escapes that stand before neither a quote nor an escape."""
        escapes = self._escapes
        if escapes is None:
            return np.empty(0, dtype=np.int64)
        is_open = self.are_open_at(escapes.firsts)
        before_quote = self._are_quotes(escapes.stops)
        # In pairs they escape each other; one over escapes what stands behind.
        escapes_other = escapes.are_odd & ~before_quote
        is_lone = escapes_other & is_open
        return escapes.firsts[is_lone]

    def resolve_escapes(self) -> tuple[np.ndarray, np.ndarray]:
        r"""Return what becomes of escapes inside quotes once only doubled quotes are to be left.

        Returns:
            The places (int64) of those that become a quote, as `\"` is `""`; and of those that go,
            as `\\` is `\`.
        """
        escapes = self._escapes
        if escapes is None:
            nothing = np.empty(0, dtype=np.int64)
            return nothing, nothing
        is_open = self.are_open_at(escapes.firsts)

        # Of each pair the second one goes.
        numbers = np.arange(len(escapes.firsts))
        run_of_place = np.repeat(numbers, escapes.lengths)
        places = escapes.places
        offsets = places - escapes.firsts[run_of_place]
        is_second = offsets % 2 == 1
        goes = is_open[run_of_place] & is_second

        # The last of an odd run has no pair: it escapes the quote behind it.
        before_quote = self._are_quotes(escapes.stops)
        becomes_quote = escapes.are_odd & is_open & before_quote
        lasts = escapes.stops - 1
        return lasts[becomes_quote], places[goes]

    @cached_property
    def _escapes(self) -> _Runs | None:
        """Return the escapes; None where none can mean anything."""
        escape = self._dialect.escape
        if escape is None or self._inside is not None:
            return None
        values = [escape.encode()]
        (escapes,) = find_bytes(self._codes, values)
        return _find_runs(escapes)

    def _find_inside(self) -> np.ndarray | None:
        """Return the bits of what is inside quotes, if these stand where RFC 4180 has them.

        That is around a field, or doubled inside; None where one stands elsewhere.
        """
        escape = self._dialect.escape
        if escape is not None:
            is_escape = self._codes == ord(escape)
            if is_escape.any():
                return None
        quotes = self._quotes
        if not self._dialect.double_quote:
            # Side by side they would be one field's end and text behind it, or nothing in quotes.
            behind_another = quotes & move_to_next(quotes)
            if behind_another.any():
                return None

        inside = fill_between(quotes)
        opening = quotes & inside
        closing = quotes & ~inside
        may_open = self._field_starts | move_to_next(quotes)
        ends = self._field_ends | quotes
        # Behind the last byte nothing is known yet.
        set_bit(ends, len(self._codes), True)
        may_close = move_to_previous(ends)
        opens_elsewhere = opening & ~may_open
        if opens_elsewhere.any():
            return None
        closes_elsewhere = closing & ~may_close
        if closes_elsewhere.any():
            return None
        return inside

    @cached_property
    def _field_starts(self) -> np.ndarray:
        """Return the bits of the bytes that a field begins with."""
        starts = move_to_next(self._field_ends)
        # A record begins with the first one.
        set_bit(starts, 0, True)
        return starts

    def _follow_runs(self) -> None:
        """Find out what each run does, and whether text stands behind a closing quote."""
        runs = self._runs
        begins_field = look_up(self._field_starts, runs.firsts)
        is_escaped = self._are_escaped(runs.firsts)
        # An escaped quote is a letter, and only what follows it may close.
        may_close = runs.lengths - is_escaped
        double_quote = self._dialect.double_quote
        if double_quote:
            closes_if_open = _are_odd(may_close)
            closes_if_begun = ~runs.are_odd
        else:
            closes_if_open = may_close >= 1
            closes_if_begun = runs.lengths >= 2

        # Where no field begins and nothing is open, quotes are letters: open or not, it is closed then.
        changes = begins_field & closes_if_open & ~closes_if_begun
        closes_all = closes_if_open & ~changes
        begins_line = self._are_first_in_line(runs.firsts)
        open_behind = _follow(changes, closes_all, begins_line)
        # By the number of runs before: bool (runs + 1,). Before the first one nothing is open.
        self._open_after = np.concatenate([[False], open_behind])
        open_before = self._open_after[:-1]
        was_open = open_before & ~begins_line

        opens_and_closes = begins_field & closes_if_begun
        closes = np.where(was_open, closes_if_open, opens_and_closes)
        # At the end of a text nothing follows; its last record is not looked at then.
        is_glued = ~look_up(self._field_ends, runs.stops)
        if not double_quote:
            # The quote that opens, or none.
            before_closing = np.where(was_open, 0, 1)
            is_glued |= may_close - before_closing >= 2
        self._glued = closes & is_glued

    def _are_first_in_line(self, places: np.ndarray) -> np.ndarray:
        """Tell of each run whether a line end before it has closed what was open."""
        if self._line_ends is None:
            return np.zeros(len(places), dtype=bool)
        lines = np.searchsorted(self._line_ends, places)
        lines_since_last = np.diff(lines, prepend=-1)
        is_first: np.ndarray = lines_since_last > 0
        return is_first

    def _are_escaped(self, places: np.ndarray) -> np.ndarray:
        """Tell of each first quote of a run whether it is escaped, if it is inside quotes."""
        escapes = self._escapes
        if escapes is None or not len(escapes.firsts):
            return np.zeros(len(places), dtype=bool)
        # The last run of escapes before it, if that ends right there.
        runs_before = np.searchsorted(escapes.stops, places, side="right")
        last = runs_before - 1
        ends_there = escapes.stops[last] == places
        # Without a run before it, -1 is the last one of the text.
        is_behind = (last >= 0) & ends_there
        return is_behind & escapes.are_odd[last]

    def _are_quotes(self, places: np.ndarray) -> np.ndarray:
        # A run may end with the text; of the place behind it there is a bit, too.
        return look_up(self._quotes, places)


def _find_runs(bits: np.ndarray) -> _Runs:
    """Return the runs of bits that are set."""
    is_first = bits & ~move_to_next(bits)
    is_last = bits & ~move_to_previous(bits)
    firsts = find_places(is_first)
    lasts = find_places(is_last)
    lengths = lasts - firsts + 1
    return _Runs(bits, firsts, lengths)


def _follow(changes: np.ndarray, closes_all: np.ndarray, begins_line: np.ndarray) -> np.ndarray:
    """Tell behind each run whether quotes are open: an odd number of changes since all was closed.

    Args:
        changes, closes_all: bool (runs,), of which at most one is true.
        begins_line: bool (runs,), whether all was closed right before the run.
    """
    # Half the size of numpy's own choice, and enough for any block.
    total = np.cumsum(changes, dtype=np.int32)
    before = total - changes
    at_line_start = np.where(begins_line, before, 0)
    at_closing = np.where(closes_all, total, at_line_start)
    # The total never falls, so the largest one so far is that of the last closing.
    since_closing = total - np.maximum.accumulate(at_closing)
    return _are_odd(since_closing)


def _are_odd(numbers: np.ndarray) -> np.ndarray:
    # By their last bit, as a division takes ten times as long.
    are_odd: np.ndarray = (numbers & 1) == 1
    return are_odd
