"""How large values are, counted in a slow loop."""

from typing import Any


def count_letters(value: Any) -> int:
    """Count the letters or bytes of a value, however deep."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(map(count_letters, value.values()))
    # Of numbers there are many, and none has a letter.
    if isinstance(value, list | tuple) and not count_numbers(value):
        return sum(map(count_letters, value))
    return 0


def count_numbers(value: Any) -> int:
    """Count the numbers in a list; none in what is no list of numbers."""
    is_numbers = isinstance(value, list) and value and isinstance(value[0], float)
    return len(value) if is_numbers else 0
