"""How often a fault is tried: a few times in `make test`, as often as the table in docs/reliability.md says in `make test-long`."""

import os
from typing import TypeVar

T = TypeVar("T")


def full_or(few: T, many: T) -> T:
    """`many` when FULL_COUNTS is set, else `few`."""
    return many if os.environ.get("FULL_COUNTS") else few
