"""Results come in the order of the items, few of which are asked for before somebody wants them."""

from collections.abc import Iterator
from contextlib import closing
import threading

import pytest

from storage.few_ahead import map_few_ahead, map_while_quick


def count_asked(asked: list[int]) -> Iterator[int]:
    for number in range(100):
        asked.append(number)
        yield number


def test_results_are_in_order_whichever_is_done_first() -> None:
    second_is_done = threading.Event()

    def call(number: int) -> int:
        if number == 0:
            assert second_is_done.wait(60)
        if number == 1:
            second_is_done.set()
        return 10 * number

    assert list(map_few_ahead(call, range(5), 2)) == [0, 10, 20, 30, 40]


def test_few_items_are_asked_for_ahead() -> None:
    asked: list[int] = []
    with closing(map_few_ahead(str, count_asked(asked), 3)) as results:
        assert next(results) == "0"
        assert asked == list(range(6))
        assert next(results) == "1"
        assert asked == list(range(7))


def test_fewer_items_than_threads_are_all_called() -> None:
    assert list(map_few_ahead(str, [], 8)) == []
    assert list(map_few_ahead(str, [7], 8)) == ["7"]


def test_an_error_is_raised_in_its_place_and_what_waits_is_left() -> None:
    called: list[int] = []

    def call(number: int) -> int:
        called.append(number)
        if number == 1:
            raise ValueError("one")
        return number

    results = map_few_ahead(call, range(100), 1)
    assert next(results) == 0
    with pytest.raises(ValueError, match="one"):
        next(results)
    assert len(called) < 5


def test_quick_items_stay_in_this_thread_and_those_behind_slow_ones_leave_it() -> None:
    here = threading.get_ident()
    took = [0.75, 0.75, 0.5, 0.75, 0.75, 0.75]
    # Before and behind each call: the last three in a row are the first that take longer than half a second.
    times = iter(
        [time for number, seconds in enumerate(took) for time in (number, number + seconds)]
    )

    def tell_whether_here(number: int) -> tuple[int, bool]:
        return number, threading.get_ident() == here

    asked: list[int] = []
    items = count_asked(asked)
    results = map_while_quick(tell_whether_here, items, 2, 0.5, clock=lambda: next(times))
    with closing(results):
        assert next(results) == (0, True)
        # None is asked for ahead in one thread.
        assert asked == [0]
        places = [is_here for _, is_here in (next(results) for _ in range(7))]
        assert places == [True] * 5 + [False] * 2


def test_where_all_are_quick_there_are_no_threads() -> None:
    # Those of earlier tests may end meanwhile.
    before = set(threading.enumerate())
    results = map_while_quick(lambda _: set(threading.enumerate()) - before, range(5), 8, 60.0)
    assert list(results) == [set()] * 5
