r"""What each quote of a CSV text does: it opens a field, closes one, or is a letter of it.

A quote opens where a field begins, and nowhere else: `5" pipe` is a text with a quote in it. So what
a quote does depends on all quotes before it. It is found without a loop over them: quotes that stand
side by side are taken as one run, and a run either changes what is open (an odd run where a field
begins), closes whatever is (an odd run elsewhere), or leaves it as it is (an even one).

    text     1,"a ""b"" c",5" pipe,"d"e,"f"
    runs       1  2  3  4   5      6 7  8 9     1, 6, 8 open; 4, 7, 9 close; 7 has text behind it
    open       1  1  1  0   0      1 0  1 0

Where every quote stands beside another one, a delimiter or a line end, as most programs write them,
quotes open and close in turn, whatever the runs; to see that takes a quarter of the time.

Where each line is a record, the end of a line closes whatever is open: no line depends on another.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from transforms.formats.csv_dialect import CsvDialect

_BYTE_VALUES = 256


@dataclass(frozen=True)
class _Runs:
    """Bytes of one value that stand side by side.

    Attributes:
        places: int64, of all such bytes.
        firsts: int64 (runs,), the place of each run's first byte.
        lengths: int64 (runs,).
    """

    places: np.ndarray
    firsts: np.ndarray
    lengths: np.ndarray

    @property
    def stops(self) -> np.ndarray:
        """Return the place behind each run."""
        return self.firsts + self.lengths

    @property
    def are_odd(self) -> np.ndarray:
        """Tell of each run (bool) whether its length is odd."""
        are_odd: np.ndarray = self.lengths % 2 == 1
        return are_odd


class Quotes:
    """The quotes of a text that begins with a record, and its escapes.

    Args:
        codes: uint8, the text.
        quote: the dialect's.
        dialect: what the text means.
        line_ends: int64, the place of each, if it closes what is open; None where nothing does.
    """

    def __init__(
        self,
        codes: np.ndarray,
        quote: str,
        dialect: CsvDialect,
        line_ends: np.ndarray | None = None,
    ) -> None:
        self._codes = codes
        self._dialect = dialect
        self._quote = ord(quote)
        self._line_ends = line_ends
        # A table by byte value, so that a whole text is looked up at once.
        self._ends_field = np.zeros(_BYTE_VALUES, dtype=bool)
        ends = f"\r\n{dialect.delimiter}".encode()
        self._ends_field[list(ends)] = True
        # None where quotes do not open and close in turn.
        self._in_turn: np.ndarray | None = None
        quotes = np.flatnonzero(codes == self._quote)
        if line_ends is None and self._are_in_turn(quotes):
            self._in_turn = quotes
        else:
            self._runs = _find_runs(codes, self._quote)
            self._follow_runs()

    def are_open_at(self, places: np.ndarray) -> np.ndarray:
        """Tell of each place (int64) whether it is inside quotes."""
        if self._in_turn is not None:
            quotes_before = np.searchsorted(self._in_turn, places)
            return quotes_before % 2 == 1
        runs_before = np.searchsorted(self._runs.firsts, places)
        is_open = self._open_after[runs_before]
        line_ends = self._line_ends
        if line_ends is None:
            return is_open
        # What a line leaves open, its end has closed.
        run_lines = np.searchsorted(line_ends, self._runs.firsts)
        line_of_last_run = np.concatenate([[-1], run_lines])[runs_before]
        in_same_line: np.ndarray = line_of_last_run == np.searchsorted(line_ends, places)
        return is_open & in_same_line

    def find_glued(self) -> np.ndarray:
        """Return the places (int64) of closing quotes with text behind them."""
        if self._in_turn is not None:
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
        is_lone = escapes.are_odd & is_open & ~before_quote
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
        offsets = escapes.places - escapes.firsts[run_of_place]
        is_second = offsets % 2 == 1
        goes = is_open[run_of_place] & is_second

        # The last of an odd run has no pair: it escapes the quote behind it.
        before_quote = self._are_quotes(escapes.stops)
        becomes_quote = escapes.are_odd & is_open & before_quote
        lasts = escapes.stops - 1
        return lasts[becomes_quote], escapes.places[goes]

    @cached_property
    def _escapes(self) -> _Runs | None:
        """Return the escapes; None where none can mean anything."""
        if self._dialect.escape is None or self._in_turn is not None:
            return None
        return _find_runs(self._codes, ord(self._dialect.escape))

    def _are_in_turn(self, quotes: np.ndarray) -> bool:
        """Tell whether each quote stands where RFC 4180 has it: around a field, or doubled inside."""
        escape = self._dialect.escape
        if escape is not None:
            is_escape = self._codes == ord(escape)
            if is_escape.any():
                return False
        if not self._dialect.double_quote:
            # Side by side they would be one field's end and text behind it, or nothing in quotes.
            is_beside = np.diff(quotes) == 1
            if is_beside.any():
                return False

        may_stand_beside = self._ends_field.copy()
        may_stand_beside[self._quote] = True
        opening = quotes[::2]
        closing = quotes[1::2]
        # Before the first byte a record begins; of the last one's neighbour nothing is known yet.
        if len(opening) and opening[0] == 0:
            opening = opening[1:]
        last_place = len(self._codes) - 1
        if len(closing) and closing[-1] == last_place:
            closing = closing[:-1]
        before_opening = self._codes[opening - 1]
        behind_closing = self._codes[closing + 1]
        opens_well = may_stand_beside[before_opening].all()
        closes_well = may_stand_beside[behind_closing].all()
        return bool(opens_well and closes_well)

    def _follow_runs(self) -> None:
        """Find out what each run does, and whether text stands behind a closing quote."""
        runs = self._runs
        preceding = self._codes[runs.firsts - 1]
        begins_field = self._ends_field[preceding]
        # The text begins with a record. (What was looked at was its last byte.)
        begins_field[runs.firsts == 0] = True

        is_escaped = self._are_escaped(runs.firsts)
        # An escaped quote is a letter, and only what follows it may close.
        may_close = runs.lengths - is_escaped
        double_quote = self._dialect.double_quote
        if double_quote:
            closes_if_open = may_close % 2 == 1
            closes_if_begun = runs.lengths % 2 == 0
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
        was_open = self._open_after[:-1] & ~begins_line

        opens_and_closes = begins_field & closes_if_begun
        closes = np.where(was_open, closes_if_open, opens_and_closes)
        # At the end of a text nothing follows; its last record is not looked at then.
        ended_codes = np.append(self._codes, ord("\n"))
        following = ended_codes[runs.stops]
        is_glued = ~self._ends_field[following]
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
        is_first: np.ndarray = np.diff(lines, prepend=-1) > 0
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
        # A run may end with the text, and its place behind is none of it.
        codes = np.append(self._codes, 0)
        return codes[places] == self._quote


def _find_runs(codes: np.ndarray, code: int) -> _Runs:
    """Return the runs of one byte value."""
    is_wanted = codes == code
    places = np.flatnonzero(is_wanted)
    # -2, so that a run begins at the first one, also where that is the first byte.
    steps = np.diff(places, prepend=-2)
    begins_run = steps != 1
    numbers = np.flatnonzero(begins_run)
    lengths = np.diff(numbers, append=len(places))
    return _Runs(places, firsts=places[numbers], lengths=lengths)


def _follow(changes: np.ndarray, closes_all: np.ndarray, begins_line: np.ndarray) -> np.ndarray:
    """Tell behind each run whether quotes are open: an odd number of changes since all was closed.

    Args:
        changes, closes_all: bool (runs,), of which at most one is true.
        begins_line: bool (runs,), whether all was closed right before the run.
    """
    total = np.cumsum(changes)
    before = total - changes
    at_line_start = np.where(begins_line, before, 0)
    at_closing = np.where(closes_all, total, at_line_start)
    # The total never falls, so the largest one so far is that of the last closing.
    since_closing = total - np.maximum.accumulate(at_closing)
    return since_closing % 2 == 1
