"""Odd values in any place of what a stranger may write as JSON: logs, schemas, footers."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

ODD: list[Any] = [
    None,
    True,
    -1,
    1 << 70,
    float("inf"),
    float("nan"),
    "",
    "\ud800",
    "\0",
    "../..",
    "9" * 5_000,
    [],
    [[]],
    {},
    {"": []},
]


def list_places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value that is inside of another one."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inner:
        yield (*place, key)
        if isinstance(part, dict | list):
            yield from list_places(part, (*place, key))


def spoil(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    """Return a copy of a value, with an odd one in one of its places."""
    spoilt = deepcopy(value)
    *way, last = place
    inside = spoilt
    for key in way:
        inside = inside[key]
    inside[last] = odd
    return spoilt
