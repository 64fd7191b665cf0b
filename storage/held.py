"""Contents of files that a thread holds in memory: whoever opens such a file in that thread gets them."""

from collections.abc import Iterator
from contextlib import contextmanager
import threading


class _Held(threading.local):
    """What this thread holds, by URL."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}


_held = _Held()


@contextmanager
def held(url: str, content: bytes) -> Iterator[None]:
    """Give this content to whoever opens the file in this thread, while the block runs.

    Args:
        url: the file.
        content: all of it.
    """
    # By name: a generator that is given up may end in another thread than it began in.
    contents = _held.contents
    contents[url] = content
    try:
        yield
    finally:
        # Given up late, it would take away what is held of the same file by now.
        if contents.get(url) is content:
            del contents[url]


def find_held(url: str) -> bytes | None:
    """Return the content of a file that this thread holds; None of any other."""
    return _held.contents.get(url)


def is_held(url: str) -> bool:
    """Tell whether this thread holds a file."""
    return url in _held.contents
