"""Leave tests to `make test-long`."""

from collections.abc import Callable
import os
from typing import TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., None])


def long(test: Test) -> Test:
    """Mark a test that starts many programs: it runs where FULL_COUNTS is set."""
    skipped = pytest.mark.skipif(
        "FULL_COUNTS" not in os.environ, reason="part of make test-long: it starts many programs"
    )
    return pytest.mark.program(skipped(test))
