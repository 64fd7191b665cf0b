"""Rows of a call cut into mini-batches, against laying them out by hand."""

import pytest

from model_zoo.scoring.stopwatch import Stopwatch
from model_zoo.scoring.windows import Window, cut_windows, halve_window


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(
    ("start", "stop", "first"), [(0, 9, 0), (2, 9, 0), (4, 9, 0), (5, 6, 1), (3, 3, 0)]
)
def test_each_row_stands_where_mini_batches_laid_end_to_end_have_it(
    start: int, stop: int, first: int, batch_rows: int
) -> None:
    windows = cut_windows(start, stop, first, batch_rows)
    places = {
        row: (window.first, window.padding_before + row - window.start)
        for window in windows
        for row in range(window.start, window.stop)
    }
    assert places == {
        row: (row - (row - first) % batch_rows, (row - first) % batch_rows)
        for row in range(start, stop)
    }
    assert [window.start for window in windows] == sorted(
        (window.start for window in windows), reverse=True
    )
    for window in windows:
        assert window.rows > 0
        assert window.padding_before + window.rows + window.padding_after == batch_rows


@pytest.mark.parametrize(
    ("start", "stop", "middle"), [(0, 8, 4), (8, 16, 12), (3, 6, 4), (0, 2, 1), (5, 7, 6)]
)
def test_halves_are_of_equal_size_and_rows_keep_their_places(
    start: int, stop: int, middle: int
) -> None:
    window = Window(start, stop, 0, 16)
    assert list(halve_window(window)) == [
        Window(middle, stop, 0, 16),
        Window(start, middle, 0, 16),
    ]


def test_a_stopwatch_begins_at_nothing() -> None:
    stopwatch = Stopwatch()
    assert stopwatch.nanoseconds == 0
    with stopwatch:
        pass
    once = stopwatch.nanoseconds
    with stopwatch:
        pass
    assert 0 <= once <= stopwatch.nanoseconds
