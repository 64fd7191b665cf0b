"""Reading ahead: the same items, made while the caller is busy, and nothing left over."""

from collections.abc import Iterator
import threading

import pytest

from transforms.formats.read_ahead import read_ahead

SECONDS = 120.0


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "read-ahead"]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    for thread in threads():
        thread.join(SECONDS)
    assert not threads()


def test_items_come_in_their_order() -> None:
    assert list(read_ahead(iter(range(100)))) == list(range(100))
    assert list(read_ahead(iter(()))) == []


def test_the_next_item_is_made_while_this_one_is_used() -> None:
    made = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    ahead = read_ahead(items())
    assert next(ahead) == 0
    assert made[1].wait(SECONDS)
    assert list(ahead) == [1, 2]


def test_no_more_than_two_items_are_made_ahead() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    ahead = read_ahead(items())
    for number in range(10):
        assert next(ahead) == number
        assert len(made) <= number + 3


def test_an_error_comes_behind_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    ahead = read_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(OSError, match="gone"):
        next(ahead)


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_caller_that_leaves_early_leaves_no_thread_behind(taken: int) -> None:
    ahead = read_ahead(iter(range(1_000)))
    for _ in range(taken):
        next(ahead)
    ahead.close()  # type: ignore[attr-defined]
