"""A promise of the program, and how to break it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """A promise of the program, and how to break it.

    Attributes:
        words: what is promised.
        file: the file that keeps it; `old` stands there exactly once, and `new` in its place breaks
            the promise.
        tests: where tests are that should find it, for pytest.
    """

    words: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
