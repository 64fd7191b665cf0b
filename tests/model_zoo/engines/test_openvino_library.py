"""What is told of OpenVINO's messages: the last thing that they say, in a line."""

import pytest

from model_zoo.engines.openvino_library import _NOT_SAID, _SHOWN_CHARACTERS, shorten


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("No rule for: Frob", "No rule for: Frob"),
        ("Exception from src/core.cpp:105:\nCheck 'a' failed at b\nfirst\n-- last", "last"),
        ("first\nsecond  of\tseveral words\n\n", "second of several words"),
        ("-- a\n-- b\nSummary:\n", "b"),
        # Nothing but where it was thrown.
        ("Exception from src/core.cpp:105:\n", "RuntimeError"),
        ("", "RuntimeError"),
    ],
)
def test_the_last_words_are_told(message: str, told: str) -> None:
    assert shorten(RuntimeError(message)) == told


@pytest.mark.parametrize("begin", _NOT_SAID)
def test_headings_and_places_are_left_out(begin: str) -> None:
    assert shorten(RuntimeError(f"what it is\n{begin} and so on")) == "what it is"


def test_no_more_is_told_than_is_read() -> None:
    assert len(shorten(RuntimeError("x" * 10_000))) == _SHOWN_CHARACTERS
