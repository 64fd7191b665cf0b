"""Contents of files that a thread keeps in memory: whoever opens such a file in that thread gets them."""

from collections.abc import Iterator
from contextlib import contextmanager
import threading


class _Kept(threading.local):
    """What this thread keeps, by URL."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}


_kept = _Kept()


@contextmanager
def kept_in_memory(url: str, content: bytes) -> Iterator[None]:
    """Give this content to whoever opens the file in this thread, while the block runs.

    Args:
        url: the file.
        content: all of it.
    """
    # By name: a generator that is given up may end in another thread than it began in.
    contents = _kept.contents
    contents[url] = content
    try:
        yield
    finally:
        # Given up late, it would take away what is kept of the same file by now.
        if contents.get(url) is content:
            del contents[url]


def find_kept(url: str) -> bytes | None:
    """Return the content of a file that this thread keeps; None of any other."""
    return _kept.contents.get(url)


def is_kept(url: str) -> bool:
    """Tell whether this thread keeps a file."""
    return url in _kept.contents
