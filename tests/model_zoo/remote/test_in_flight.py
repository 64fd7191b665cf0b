"""How many requests a server is kept busy with, by servers that are a few lines of arithmetic."""

from dataclasses import dataclass
import heapq
from itertools import groupby

import numpy as np
import pytest

from model_zoo.remote.in_flight import Limit


@dataclass
class Machine:
    """A server that computes some requests at the same time, and keeps others waiting or away.

    Attributes:
        cores: requests that are computed at the same time, each in a second or so.
        queue: requests that it takes in all; others are told that it is busy.
        noise: by how much of itself a request's time varies.
    """

    cores: int
    queue: int = 1_000
    noise: float = 0.0
    seed: int = 0

    def run(self, limit: Limit, requests: int) -> tuple[list[int], float]:
        """Keep as many requests open as the limit allows; return the limits, and seconds in all."""
        chance = np.random.default_rng(self.seed)
        now = 0.0
        free_at = [0.0] * self.cores
        answers: list[tuple[float, float]] = []
        limits = []
        while len(limits) < requests:
            while len(answers) < limit.limit:
                if len(answers) >= self.queue:
                    limit.note_overload(now, now, is_busy=True)
                    now += 0.01
                    break
                seconds = 1 + self.noise * chance.uniform(-1, 1)
                end = max(now, heapq.heappop(free_at)) + seconds
                heapq.heappush(free_at, end)
                heapq.heappush(answers, (end, now))
            open_requests = len(answers)
            now, _ = heapq.heappop(answers)
            limit.note_answer(100, open_requests, now)
            limits.append(limit.limit)
        return limits, now


@pytest.mark.parametrize("cores", [1, 2, 3, 5, 8, 13])
def test_throughput_grows_to_what_the_server_computes_at_the_same_time(cores: int) -> None:
    limits, _ = Machine(cores, noise=0.2).run(Limit(32), 2_000)
    last = sorted(limits[-500:])
    # A few more keep it busy while answers are on their way, and by chance.
    assert cores <= last[250] <= 2 * cores + 6


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cores", [2, 4, 8])
def test_answers_that_take_longer_now_and_then_cost_little(cores: int, seed: int) -> None:
    _, seconds = Machine(cores, noise=0.5, seed=seed).run(Limit(32), 1_000)
    assert seconds < 1.15 * 1_000 / cores


def test_no_more_are_open_than_may_be() -> None:
    limits, _ = Machine(100).run(Limit(6), 500)
    assert max(limits) == 6
    assert limits[-1] == 6


@pytest.mark.parametrize("queue", [1, 2, 6, 9])
def test_a_busy_server_is_rarely_asked_for_too_much(queue: int) -> None:
    machine = Machine(cores=20, queue=queue)
    limit = Limit(32)
    limits, _ = machine.run(limit, 2_000)
    assert sum(limits[-1_000:]) / 1_000 > 0.85 * queue
    assert max(limits[-1_000:]) <= queue + 1


def test_the_limit_is_halved_once_for_one_overload() -> None:
    limit = Limit(16)
    Machine(16).run(limit, 1_000)
    assert limit.limit == 16
    for sent in (99.0, 99.5, 99.9):
        limit.note_overload(sent, 100, is_busy=True)
    assert limit.limit == 8
    limit.note_overload(101, 102, is_busy=True)
    assert limit.limit == 4


def test_after_an_outage_the_limit_is_soon_what_it_was() -> None:
    limit = Limit(16)
    Machine(16).run(limit, 1_000)
    for second in range(10_000, 10_020):
        limit.note_overload(second, second, is_busy=False)
    assert limit.limit == 1
    limits, _ = Machine(16).run(limit, 200)
    assert limits[140] == 16


def test_a_caller_that_sends_less_than_it_may_is_not_allowed_more() -> None:
    limit = Limit(16)
    for second in range(1_000):
        limit.note_answer(100, 1, second)
    assert limit.limit == 2


def test_answers_of_the_same_moment_are_no_throughput() -> None:
    limit = Limit(16)
    for _ in range(100):
        limit.note_answer(100, 2, 7.0)
    assert limit.limit == 2


WAYS = {
    # One at a time: two are no faster than one, three are tried after one, two, four ... measurements in vain.
    1: [(2, 10), (4, 12), (2, 18), (3, 21), (2, 34), (3, 21), (2, 50), (3, 21), (2, 82)],
    # Doubled until 16, which bring no more than 8; then 9, after waits that grow.
    3: [(2, 10), (4, 12), (8, 16), (16, 32), (8, 32), (9, 36), (8, 56), (9, 36), (8, 80)],
}


def shorten(limits: list[int]) -> list[tuple[int, int]]:
    """Return each limit, and for how many answers it stood."""
    return [(limit, len(list(same))) for limit, same in groupby(limits)]


@pytest.mark.parametrize("cores", WAYS)
def test_more_are_tried_by_whole_rounds_of_answers_and_ever_more_rarely(cores: int) -> None:
    limits, _ = Machine(cores).run(Limit(16), 400)
    assert shorten(limits)[: len(WAYS[cores])] == WAYS[cores]


def test_a_busy_server_is_met_again_after_each_wait() -> None:
    limits, _ = Machine(cores=20, queue=5).run(Limit(16), 300)
    again = [(6, 1), (3, 3), (4, 4)]
    begin = [(2, 10), (4, 12), (8, 1), (4, 4), (5, 5)]
    assert shorten(limits) == [*begin, *again, (5, 65), *again, (5, 105), *again, (5, 74)]


def test_a_caller_that_once_sent_as_much_as_it_may_is_not_allowed_more_for_good() -> None:
    limit = Limit(4)
    for second in range(11):
        limit.note_answer(1, 2, second)
    assert limit.limit == 4
    for second in range(11, 1_000):
        limit.note_answer(1, 1, second)
    # Whatever four might bring, nobody sends so many.
    assert limit.limit == 4


@pytest.mark.parametrize(("gain", "is_kept"), [(1.0, False), (1.24, False), (1.26, True)])
def test_twice_as_many_must_bring_a_quarter_more(gain: float, is_kept: bool) -> None:
    limit = Limit(4)
    now = 0.0
    limits = []
    for _ in range(40):
        now += 1 / gain if limit.limit == 4 else 1
        limit.note_answer(1, limit.limit, now)
        limits.append(limit.limit)
    ways = [standing for standing, _ in shorten(limits)]
    assert ways == ([2, 4] if is_kept else [2, 4, 2])
