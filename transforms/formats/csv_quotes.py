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
from typing import NamedTuple, TypeAlias

import numpy as np

from transforms.formats.csv_bits import (
    Bits,
    Places,
    fill_between,
    find_bytes,
    find_places,
    look_up,
    move_to_next,
    move_to_previous,
    set_bit,
)
from transforms.formats.csv_dialect import CsvDialect

# One for each run or place, bool.
Flags: TypeAlias = np.ndarray
Lengths: TypeAlias = np.ndarray
_NO_LINE = np.array([-1])
_NOT_OPEN = np.array([False])
_NOWHERE = np.empty(0, dtype=np.int64)


class Resolved(NamedTuple):
    r"""What becomes of escapes inside quotes.

    Attributes:
        quotes: the places of those that become a quote, as `\"` is `""`.
        gone: of those that go, as `\\` is `\`.
    """

    quotes: Places
    gone: Places


@dataclass(frozen=True)
class _Runs:
    """Bytes of one value that stand side by side.

    Attributes:
        bits: uint64, one bit for each byte of the text.
        firsts: int64 (runs,), the place of each run's first byte.
        lengths: int64 (runs,).
    """

    bits: Bits
    firsts: Places
    lengths: Lengths

    @property
    def places(self) -> Places:
        """Return the place of each byte."""
        return find_places(self.bits)

    @property
    def stops(self) -> Places:
        """Return the place behind each run."""
        return self.firsts + self.lengths

    @property
    def are_odd(self) -> Flags:
        """Tell of each run whether its length is odd."""
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
        line_bytes: Bits,
        line_ends: Places | None = None,
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
        self._inside: Bits | None = None
        if line_ends is None:
            self._inside = self._find_inside()
        if self._inside is None:
            self._runs = _find_runs(self._quotes)
            self._follow_runs()

    def are_open_at(self, places: Places) -> Flags:
        """Tell of each place, of anything but quotes, whether it is inside quotes."""
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
        parts = [_NO_LINE, lines_of_runs]
        lines_of_last_runs = np.concatenate(parts)
        line_of_run = lines_of_last_runs[runs_before]
        in_same_line: Flags = line_of_run == lines
        return is_open & in_same_line

    def find_glued(self) -> Places:
        """Return the places of closing quotes with text behind them."""
        if self._inside is not None:
            return _NOWHERE
        firsts = self._runs.firsts
        return firsts[self._glued]

    def find_lone_escapes(self) -> Places:
        """Return the places of escapes that stand before neither a quote nor an escape."""
        escapes = self._escapes
        if escapes is None:
            return _NOWHERE
        firsts = escapes.firsts
        is_open = self.are_open_at(firsts)
        before_quote = self._are_quotes(escapes.stops)
        # In pairs they escape each other; one over escapes what stands behind.
        escapes_other = escapes.are_odd & ~before_quote
        is_lone = escapes_other & is_open
        return firsts[is_lone]

    def resolve_escapes(self) -> Resolved:
        """Return what becomes of escapes inside quotes once only doubled quotes are to be left."""
        escapes = self._escapes
        if escapes is None:
            return Resolved(_NOWHERE, _NOWHERE)
        firsts = escapes.firsts
        is_open = self.are_open_at(firsts)

        # Of each pair the second one goes.
        count = len(firsts)
        numbers = np.arange(count)
        run_of_place = np.repeat(numbers, escapes.lengths)
        places = escapes.places
        begins = firsts[run_of_place]
        offsets = places - begins
        is_second = offsets % 2 == 1
        in_quotes = is_open[run_of_place]
        goes = in_quotes & is_second

        # The last of an odd run has no pair: it escapes the quote behind it.
        before_quote = self._are_quotes(escapes.stops)
        becomes_quote = escapes.are_odd & is_open & before_quote
        lasts = escapes.stops - 1
        quotes = lasts[becomes_quote]
        gone = places[goes]
        return Resolved(quotes, gone)

    @cached_property
    def _escapes(self) -> _Runs | None:
        """Return the escapes; None where none can mean anything."""
        escape = self._dialect.escape
        if escape is None or self._inside is not None:
            return None
        values = [escape.encode()]
        (escapes,) = find_bytes(self._codes, values)
        return _find_runs(escapes)

    def _find_inside(self) -> Bits | None:
        """Return the bits of what is inside quotes, if these stand where RFC 4180 has them.

        That is around a field, or doubled inside; None where one stands elsewhere.
        """
        escape = self._dialect.escape
        if escape is not None:
            code = ord(escape)
            is_escape = self._codes == code
            if is_escape.any():
                return None
        quotes = self._quotes
        if not self._dialect.double_quote:
            # Side by side they would be one field's end and text behind it, or nothing in quotes.
            behind = move_to_next(quotes)
            behind_another = quotes & behind
            if behind_another.any():
                return None

        inside = fill_between(quotes)
        opening = quotes & inside
        closing = quotes & ~inside
        behind_quotes = move_to_next(quotes)
        may_open = self._field_starts | behind_quotes
        ends = self._field_ends | quotes
        # Behind the last byte nothing is known yet.
        end = len(self._codes)
        set_bit(ends, end, True)
        may_close = move_to_previous(ends)
        opens_elsewhere = opening & ~may_open
        if opens_elsewhere.any():
            return None
        closes_elsewhere = closing & ~may_close
        if closes_elsewhere.any():
            return None
        return inside

    @cached_property
    def _field_starts(self) -> Bits:
        """Return the bits of the bytes that a field begins with."""
        starts = move_to_next(self._field_ends)
        # A record begins with the first one.
        set_bit(starts, 0, True)
        return starts

    def _follow_runs(self) -> None:
        """Find out what each run does, and whether text stands behind a closing quote."""
        runs = self._runs
        firsts = runs.firsts
        begins_field = look_up(self._field_starts, firsts)
        is_escaped = self._are_escaped(firsts)
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
        begins_line = self._are_first_in_line(firsts)
        open_behind = _follow(changes, closes_all, begins_line)
        # By the number of runs before: bool (runs + 1,). Before the first one nothing is open.
        states = [_NOT_OPEN, open_behind]
        self._open_after = np.concatenate(states)
        open_before = self._open_after[:-1]
        was_open = open_before & ~begins_line

        opens_and_closes = begins_field & closes_if_begun
        closes = np.where(was_open, closes_if_open, opens_and_closes)
        # At the end of a text nothing follows; its last record is not looked at then.
        ends_field = look_up(self._field_ends, runs.stops)
        is_glued = ~ends_field
        if not double_quote:
            # The quote that opens, or none.
            before_closing = np.where(was_open, 0, 1)
            left = may_close - before_closing
            is_glued |= left >= 2
        self._glued = closes & is_glued

    def _are_first_in_line(self, places: Places) -> Flags:
        """Tell of each run whether a line end before it has closed what was open."""
        line_ends = self._line_ends
        if line_ends is None:
            return np.zeros_like(places, dtype=bool)
        lines = np.searchsorted(line_ends, places)
        lines_since_last = np.diff(lines, prepend=-1)
        is_first: Flags = lines_since_last > 0
        return is_first

    def _are_escaped(self, places: Places) -> Flags:
        """Tell of each first quote of a run whether it is escaped, if it is inside quotes."""
        escapes = self._escapes
        if escapes is None or not len(escapes.firsts):
            return np.zeros_like(places, dtype=bool)
        # The last run of escapes before it, if that ends right there.
        stops = escapes.stops
        runs_before = np.searchsorted(stops, places, side="right")
        last = runs_before - 1
        ends_there = stops[last] == places
        # Without a run before it, -1 is the last one of the text.
        has_run = last >= 0
        is_behind = has_run & ends_there
        is_odd = escapes.are_odd[last]
        return is_behind & is_odd

    def _are_quotes(self, places: Places) -> Flags:
        # A run may end with the text; of the place behind it there is a bit, too.
        return look_up(self._quotes, places)


def _find_runs(bits: Bits) -> _Runs:
    """Return the runs of bits that are set."""
    behind = move_to_next(bits)
    before = move_to_previous(bits)
    is_first = bits & ~behind
    is_last = bits & ~before
    firsts = find_places(is_first)
    lasts = find_places(is_last)
    lengths = lasts - firsts + 1
    return _Runs(bits, firsts, lengths)


def _follow(changes: Flags, closes_all: Flags, begins_line: Flags) -> Flags:
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
    last_closing = np.maximum.accumulate(at_closing)
    since_closing = total - last_closing
    return _are_odd(since_closing)


def _are_odd(numbers: np.ndarray) -> Flags:
    # By their last bit, as a division takes ten times as long.
    last_bits = numbers & 1
    are_odd: Flags = last_bits == 1
    return are_odd
