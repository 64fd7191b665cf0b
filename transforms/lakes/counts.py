"""Numbers of bytes, rows and columns, which a stranger's log may write as anything."""

from typing import Any


def read_count(value: Any) -> int:
    """Return a number of bytes or rows, or of a column.

    Raises:
        ValueError: it is none: a fraction, infinite, less than nothing, or something else.
    """
    # To Python true is 1.
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or value < 0:
        raise ValueError("is no count")
    return int(value)
