"""Rows of a mini-batch where a job names none, and the bytes of a row."""

import pytest

from pipelines.planning.batch_rows import bytes_per_row, default_batch_rows
from tests.pipelines.planning.cards import make_card, make_card_of


@pytest.mark.parametrize(
    ("numbers", "rows"),
    [
        (1, 4096),  # never more
        (32, 4096),  # 512 KiB in 128 bytes each
        (33, 2048),  # the power of two below
        (1024, 128),
        (1025, 64),
        (1026, 64),  # of 513 KiB it would be 128
        (4096, 32),
        (4097, 32),  # never fewer
        (1 << 20, 32),  # a row alone is more than 512 KiB
    ],
)
def test_a_mini_batch_stays_in_a_core_s_cache(numbers: int, rows: int) -> None:
    assert default_batch_rows(make_card_of(numbers)) == rows


@pytest.mark.parametrize(
    ("tokens", "rows"), [(1, 4096), (16, 256), (17, 240), (4096, 1), (4097, 1), (9000, 1)]
)
def test_a_mini_batch_of_texts_has_4096_tokens(tokens: int, rows: int) -> None:
    inputs = {name: {"dtype": "int64", "shape": [tokens]} for name in ("ids", "mask")}
    assert default_batch_rows(make_card(inputs=inputs, mask="mask")) == rows


def test_the_bytes_of_a_row_are_those_of_all_inputs() -> None:
    inputs = {
        "a": {"dtype": "float32", "shape": [3, 5]},
        "b": {"dtype": "float64", "shape": []},
        "c": {"dtype": "int64", "shape": [7]},
    }
    assert bytes_per_row(make_card(inputs=inputs)) == 4 * 15 + 8 + 8 * 7
    assert bytes_per_row(make_card_of(0)) == 1, "sizes are divided by it"
