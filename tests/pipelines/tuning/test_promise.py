"""Which settings are tried first, and which cannot win any more."""

import pytest

from model_zoo.engines.settings import DType, Settings
from pipelines.tuning.promise import can_win, expect_rate


def test_8_bits_promise_most_and_another_layout_least() -> None:
    dtypes: list[DType] = ["int8", "bfloat16", "float32"]
    rates = [expect_rate(Settings(8, dtype), 100.0) for dtype in dtypes]
    assert rates == sorted(rates, reverse=True)
    # What an engine is twice as fast in, it promises twice as much in.
    assert expect_rate(Settings(8, "int8"), 200.0) == 2 * rates[0]


@pytest.mark.parametrize(
    ("settings", "largest_gain"),
    [
        (Settings(8, layout="channels_last"), 2),
        (Settings(8, "bfloat16"), 6),
        (Settings(8, "float16"), 6),
        (Settings(8, "int8"), 8),
        (Settings(8, "bfloat16", compiled=True), 4),
    ],
)
def test_what_would_have_to_gain_more_than_was_ever_seen_cannot_win(
    settings: Settings, largest_gain: float
) -> None:
    assert can_win(settings, 100.0, 99.0 * largest_gain)
    assert not can_win(settings, 100.0, 100.0 * largest_gain)
