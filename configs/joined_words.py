"""Lists of words for a line, which nobody reads to the end of where they are many."""

from collections.abc import Iterable


def join_some(words: Iterable[str], most: int) -> str:
    """Return the first of some words, and how many others there are.

    Args:
        words: what is listed.
        most: how many are shown.

    >>> join_some(["a", "b", "c", "d"], most=3), join_some(["a", "b"], most=3)
    ('a, b, c and 1 more', 'a, b')
    """
    all_words = list(words)
    shown = ", ".join(all_words[:most])
    left = len(all_words) - most
    if left <= 0:
        return shown
    return f"{shown} and {left:,} more"
