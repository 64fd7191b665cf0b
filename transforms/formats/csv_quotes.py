"""Whether the quotes of a CSV text can be taken in one way only, and how many lines it has.

A quote that is not closed turns the rows behind it into one field, and no parser complains.
"""

import numpy as np

_QUOTE = ord('"')
_BYTE_VALUES = 256


class LineCount:
    """How many lines there are, whatever ends them."""

    def __init__(self) -> None:
        self.total = 0
        self._last = b""

    def add(self, text: bytes) -> None:
        r"""Count the lines that end in the next bytes."""
        line_feeds = text.count(b"\n")
        self.total += line_feeds
        # A \r\n that was cut is one end.
        if self._last == b"\r" and text.startswith(b"\n"):
            self.total -= 1
        # One look is cheaper than two counts.
        if b"\r" in text:
            returns = text.count(b"\r")
            pairs = text.count(b"\r\n")
            self.total += returns - pairs
        if text:
            self._last = text[-1:]

    @property
    def has_ended(self) -> bool:
        """Tell whether the last line has its end: a file that was cut has not."""
        return self._last in (b"\n", b"\r")


class QuoteCheck:
    """Whether each quote stands where RFC 4180 has it: around a field, or doubled inside one.

    Then no parser can take it in another way; counting alone would not see that two quotes which
    are not closed make a pair.
    """

    def __init__(self, delimiter: str) -> None:
        # By the value of a byte: whether it may stand before an opening quote, and behind a closing
        # one.
        self._may_stand_beside = np.zeros(_BYTE_VALUES, dtype=bool)
        neighbours = f'\r\n"{delimiter}'.encode()
        self._may_stand_beside[list(neighbours)] = True
        # 1 inside a quoted field.
        self._open = 0
        # The last two bytes: the second one waits for the byte that follows it.
        self._before = b"\n"

    def fits(self, text: bytes) -> bool:
        """Look at the next bytes, and tell whether every quote in them is in its place.

        Args:
            text: the next bytes; none at the end.
        """
        is_end = not text
        # The end of a file ends its last field as a line end does.
        following = text or b"\n"
        looked_at = self._before + following
        self._before = looked_at[-2:]
        codes = np.frombuffer(looked_at, dtype=np.uint8)

        # Not the first and last byte, which have no neighbour here.
        is_quote = codes[1:-1] == _QUOTE
        quotes = np.flatnonzero(is_quote) + 1
        # They open and close in turn.
        opening = quotes[self._open :: 2]
        closing = quotes[1 - self._open :: 2]
        self._open = (self._open + len(quotes)) % 2

        before_opening = codes[opening - 1]
        behind_closing = codes[closing + 1]
        opens_well = self._may_stand_beside[before_opening].all()
        closes_well = self._may_stand_beside[behind_closing].all()
        is_closed = not is_end or not self._open
        return bool(opens_well and closes_well and is_closed)
