"""Of a long list the first words are told, and how many others there are."""

import pytest

from configs.joined_words import join_some

LETTERS = "abcdefghijkl"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (1, "a"),
        (10, "a, b, c, d, e, f, g, h, i, j"),
        (11, "a, b, c, d, e, f, g, h, i, j and 1 more"),
        (12, "a, b, c, d, e, f, g, h, i, j and 2 more"),
    ],
)
def test_ten_words_are_told(count: int, shown: str) -> None:
    assert join_some(LETTERS[:count], most=10) == shown
