"""A plugin of pytest that writes the steps which its tests came by to stderr: `pytest -p tests.faults.reached`."""

import sys
from typing import Any

from tests.faults.steps import watch

_reached: set[str] = set()


def _at_step(name: str, function: Any, *arguments: Any, **named: Any) -> Any:
    _reached.add(name)
    return function(*arguments, **named)


watch(_at_step)  # before any test imports what is watched


def pytest_unconfigure() -> None:
    """The last that pytest calls, when nothing is captured any more."""
    print(*sorted(_reached), file=sys.stderr)
