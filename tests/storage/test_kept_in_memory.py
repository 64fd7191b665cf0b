"""Contents that a thread holds: given to whoever opens the file there, for as long as somebody holds them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from storage import files
from storage.kept_in_memory import find_kept, is_kept, kept_in_memory

URL = "/no/such/file"


def test_a_held_file_is_opened_without_its_place() -> None:
    with kept_in_memory(URL, b"abc"), files.open_read(URL) as source:
        assert source.read() == b"abc"
    assert not is_kept(URL)


def test_the_end_of_a_held_file_is_that_of_what_is_held(tmp_path: Path) -> None:
    place = tmp_path / "a"
    place.write_bytes(b"on the disk")
    with kept_in_memory(str(place), b"in memory"):
        assert files.read_end(str(place), 3) == b"ory"
    assert files.read_end(str(place), 3) == b"isk"


def test_parts_of_a_file_in_memory_are_those_of_what_is_kept() -> None:
    with kept_in_memory(URL, b"abcdef"):
        assert files.read_ranges(URL, [(0, 2), (4, 9), (3, 3)]) == [b"ab", b"ef", b""]


def test_another_thread_holds_nothing() -> None:
    with kept_in_memory(URL, b"abc"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(find_kept, URL).result() is None


def test_what_is_given_up_late_takes_nothing_away_from_who_came_later() -> None:
    # As of a bundle that is retried while its error still holds the first try.
    first = kept_in_memory(URL, b"old")
    first.__enter__()
    with kept_in_memory(URL, b"new"):
        first.__exit__(None, None, None)
        assert find_kept(URL) == b"new"
    assert not is_kept(URL)
