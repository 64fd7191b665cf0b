"""Call a function for very many items in threads, of whose results few wait at a time.

An executor's own `map` takes all items at once, and keeps every result until it is asked for.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
import time
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
# For each thread: one that is worked on, and one that waits for whoever asks.
_AHEAD = 2
# One alone may have had to wait for the collection of garbage, or for another program.
_SLOW_IN_A_ROW = 3


def take_some(
    items: Iterable[T],
    count: int,
) -> Iterator[list[T]]:
    """Yield items, so many at a time.

    Args:
        items: asked for as they are needed.
        count: of each list but the last.

    >>> list(take_some("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    remaining = iter(items)
    while some := list(islice(remaining, count)):
        yield some


def map_while_quick(
    call: Callable[[T], R],
    items: Iterable[T],
    threads: int,
    quick_seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Generator[R]:
    """Yield what a function gives for each item: in this thread until some take long, then in threads.

    Python lets one thread run at a time. Where each waits for nothing but its turn, to take turns takes
    longer than all the work: small files of a disk took twice as long in 8 threads on 2 free cores.

    Args:
        call: the function.
        items: as for `map_few_ahead`.
        threads: how many items are worked on at once, from then on.
        quick_seconds: what an item may take in this thread.
        clock: tells seconds.
    """
    remaining = iter(items)
    slow_in_a_row = 0
    for item in remaining:
        began = clock()
        result = call(item)
        is_slow = clock() - began > quick_seconds
        yield result
        slow_in_a_row = slow_in_a_row + 1 if is_slow else 0
        if slow_in_a_row == _SLOW_IN_A_ROW:
            break
    yield from map_few_ahead(call, remaining, threads)


def map_few_ahead(
    call: Callable[[T], R],
    items: Iterable[T],
    threads: int,
) -> Generator[R]:
    """Yield what a function gives for each item, in the order of the items.

    What has not begun when nobody asks any more is left.

    Args:
        call: the function.
        items: asked for a few at a time, by the thread that goes through the results.
        threads: how many items are worked on at once.
    """
    most = _AHEAD * threads
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(call, item))
                if len(waiting) >= most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
