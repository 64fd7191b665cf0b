"""Finds out how many requests a server is best kept busy with.

    limit   2 4 8 4 5 6 5 5 5 ... 5 6 5 5 ...   throughput no longer grows at 6
            2 4 8 X 4 5 6 7 7 7 ...             X: at 8 the server was busy

Twice as many are tried at first, then one more, and kept if more rows came back per second; where
none came, nothing but waiting would be added. A busy server halves the limit, which soon is again what went well before. The same is
done about a server that was gone.
"""

from dataclasses import dataclass, field
from math import ceil

# One alone leaves the server idle while an answer is on its way.
_FIRST = 2
# A throughput is measured by so many answers, which are whole rounds of what is in flight: answers may
# come all at once.
_FEWEST_ANSWERS = 16
_FEWEST_ROUNDS = 3
# One more request could add its share of throughput, as 1 of 5. A fifth of that share tells that the
# server computes them at the same time, and so does this much: too few requests leave it idle between
# an answer and the next one. To keep twice as many, a quarter of what they could add is asked for.
_SHARE = 0.2
_ENOUGH = 0.05
_SHARE_OF_DOUBLE = 0.25
# Measurements until one more is tried again, twice as many each time in vain: it may have been chance,
# or the server has less to do by then.
_LONGEST_WAIT = 16
# Of several measurements at one limit, by how much the last one counts.
_WEIGHT = 0.5


@dataclass
class Limit:
    """How many requests may be open, from one answer to the next; it knows no clock and no threads.

    Attributes:
        most: that may ever be open.
        limit: that may be open now.
    """

    most: int
    limit: int = field(init=False)

    def __post_init__(self) -> None:
        self.limit = min(_FIRST, self.most)
        # Up to here no measurement is needed.
        self._good = self.limit
        self._is_trial = False
        self._is_doubling = True
        self._held_rate = 0.0
        self._waits = 0
        self._next_waits = 1
        self._halved_at = float("-inf")
        self._is_first_round = True
        self._begin(None)

    def note_answer(self, rows: int, open_requests: int, now: float) -> None:
        """Take note of an answer.

        Args:
            rows: in it.
            open_requests: when it came, itself among them.
            now: seconds, of any clock that only goes forward.
        """
        if self._start is None:
            # What came before it is not known: it is the beginning.
            self._begin(now)
            return
        self._answers += 1
        self._rows += rows
        # Whoever sends less than is allowed does not learn what more would bring.
        if open_requests >= self.limit:
            self._was_full = True
        if self.limit < self._good:
            self._go_back_up(now)
            return
        if self._is_first_round:
            # Of the former limit still.
            if self._answers >= self.limit:
                self._begin(now)
                self._is_first_round = False
            return
        if self._answers < self._count_wanted() or now <= self._start:
            return
        rate = self._rows / (now - self._start)
        if self._was_full:
            self._judge(rate)
        self._begin(now)

    def note_overload(self, sent: float, now: float, is_busy: bool) -> None:
        """Take note of a request that the server had no time for.

        Args:
            sent: when it was sent, by the same clock.
            now: when that was told.
            is_busy: whether so many requests were too much; else the server was gone.
        """
        # Those that were sent before the limit was halved are of the same overload.
        if sent < self._halved_at:
            return
        if is_busy:
            self._good = max(1, self.limit - 1)
        self.limit = max(1, self.limit // 2)
        self._halved_at = now
        self._is_trial = False
        self._is_doubling = False
        self._wait()
        self._begin(None)

    def _begin(self, now: float | None) -> None:
        """Begin to count."""
        self._start = now
        self._answers = 0
        self._rows = 0
        self._was_full = False

    def _count_wanted(self) -> int:
        """Return by how many answers the throughput is measured: whole rounds."""
        if self._is_doubling:
            # What is looked for is large, and seen at once.
            return max(_FEWEST_ANSWERS // 2, self.limit)
        rounds = max(_FEWEST_ROUNDS, ceil(_FEWEST_ANSWERS / self.limit))
        return rounds * self.limit

    def _go_back_up(self, now: float) -> None:
        """Allow one more after each round."""
        if self._answers >= self.limit:
            self.limit += 1
            self._begin(now)

    def _judge(self, rate: float) -> None:
        if self._is_trial and not self._is_growth(rate):
            self._give_back()
            return
        if self._is_trial:
            self._next_waits = 1
        if self._is_trial or self._held_rate == 0:
            self._held_rate = rate
        self._good = self.limit
        self._held_rate += _WEIGHT * (rate - self._held_rate)
        self._is_trial = False
        if self._waits > 0:
            self._waits -= 1
        elif self.limit < self.most:
            more = self.limit if self._is_doubling else 1
            self.limit = min(self.limit + more, self.most)
            self._is_trial = True
            self._is_first_round = True

    def _is_growth(self, rate: float) -> bool:
        share = (self.limit - self._good) / self._good
        gain = min(_SHARE * share, _ENOUGH)
        if self._is_doubling:
            gain = _SHARE_OF_DOUBLE * share
        return rate > self._held_rate * (1 + gain)

    def _give_back(self) -> None:
        """End a trial in vain."""
        self.limit = self._good
        self._is_trial = False
        self._is_first_round = True
        if not self._is_doubling:
            self._wait()
        self._is_doubling = False

    def _wait(self) -> None:
        """Try one more only after some measurements."""
        self._waits = self._next_waits
        self._next_waits = min(_LONGEST_WAIT, 2 * self._next_waits)
