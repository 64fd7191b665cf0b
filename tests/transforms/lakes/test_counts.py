"""A count is a whole number, and nothing else that JSON can write."""

from typing import Any

import pytest

from transforms.lakes.counts import read_count


@pytest.mark.parametrize("value", [0, 5, 1 << 40])
def test_a_count_is_a_whole_number(value: int) -> None:
    assert read_count(value) == value


@pytest.mark.parametrize("value", [-1, 1.0, float("inf"), float("nan"), True, "5", None, [5]])
def test_what_is_no_count_is_told(value: Any) -> None:
    with pytest.raises(ValueError, match="is no count"):
        read_count(value)
