"""What a training tells of many labels."""

import pytest

from pipelines.training.summary import _shorten_labels

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
def test_ten_labels_are_told(count: int, shown: str) -> None:
    assert _shorten_labels(LETTERS[:count]) == shown
