"""Examples that hypothesis draws fail no test by chance."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st


def draw() -> list[int]:
    """Return what a test with the usual settings is given."""
    drawn: list[int] = []

    @given(st.integers())
    def note(number: int) -> None:
        drawn.append(number)

    note()
    return drawn


def test_they_may_take_their_time_and_are_the_same_in_every_run() -> None:
    assert settings().deadline is None
    if "FULL_COUNTS" not in os.environ:
        assert draw() == draw()
