"""Contents that a thread holds: given to whoever opens the file there, for as long as somebody holds them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from storage import files
from storage.held import find_held, held, is_held

URL = "/no/such/file"


def test_a_held_file_is_opened_without_its_place() -> None:
    with held(URL, b"abc"), files.open_read(URL) as source:
        assert source.read() == b"abc"
    assert not is_held(URL)


def test_the_end_of_a_held_file_is_that_of_what_is_held(tmp_path: Path) -> None:
    place = tmp_path / "a"
    place.write_bytes(b"on the disk")
    with held(str(place), b"in memory"):
        assert files.read_end(str(place), 3) == b"ory"
    assert files.read_end(str(place), 3) == b"isk"


def test_another_thread_holds_nothing() -> None:
    with held(URL, b"abc"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(find_held, URL).result() is None


def test_what_is_given_up_late_takes_nothing_away_from_who_came_later() -> None:
    # As of a bundle that is retried while its error still holds the first try.
    first = held(URL, b"old")
    first.__enter__()
    with held(URL, b"new"):
        first.__exit__(None, None, None)
        assert find_held(URL) == b"new"
    assert not is_held(URL)
