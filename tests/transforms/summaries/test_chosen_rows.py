"""Which rows of large units are counted: as many of all, whatever batches they come in, and of no pattern."""

import itertools

import numpy as np
import pytest

from transforms.summaries.chosen_rows import MOST_WHOLE_ROWS, ChosenRows, RowPlaces, choose_rows

LIMIT = 1 << 10
UNIT = 1 << 13
# Of a unit of so many rows one of 128 is counted: there are 64 rows at least.
WEIGHT = 128


def choose(
    numbers: np.ndarray, unit_rows: int | None = UNIT, limit: int | None = LIMIT
) -> ChosenRows:
    chosen = choose_rows(RowPlaces(numbers, unit_rows), limit)
    assert chosen is not None
    return chosen


def chosen_numbers(numbers: np.ndarray) -> list[int]:
    found: list[int] = numbers[choose(numbers).positions].tolist()
    return found


@pytest.mark.parametrize(("unit_rows", "limit"), [(LIMIT, LIMIT), (None, LIMIT), (UNIT, None)])
def test_all_rows_are_counted(unit_rows: int | None, limit: int | None) -> None:
    places = RowPlaces(np.arange(10), unit_rows)
    assert choose_rows(places, limit) is None


@pytest.mark.parametrize(
    ("unit_rows", "weight"), [(1_025, 16), (2_047, 16), (2_048, 32), (4_095, 32), (UNIT, 128)]
)
def test_at_least_the_sixteenth_part_of_the_limit_is_counted(unit_rows: int, weight: int) -> None:
    chosen = choose(np.arange(unit_rows), unit_rows)
    assert chosen.weight == weight
    assert len(chosen.positions) >= unit_rows // weight >= LIMIT // 16


def test_a_night_of_a_million_rows_is_counted_whole() -> None:
    # Units of small models have so many rows at least.
    assert MOST_WHOLE_ROWS == 262_144
    assert choose_rows(RowPlaces(np.arange(9), 262_144), MOST_WHOLE_ROWS) is None
    assert choose(np.arange(9), 262_145, MOST_WHOLE_ROWS).weight == 16
    assert choose(np.arange(9), 1 << 20, MOST_WHOLE_ROWS).weight == 64


def test_of_each_so_many_neighbours_one_is_counted() -> None:
    numbers = chosen_numbers(np.arange(UNIT))
    assert [number // WEIGHT for number in numbers] == list(range(UNIT // WEIGHT))


@pytest.mark.parametrize("first", [0, 5, 1_000_003])
def test_batches_of_any_size_choose_the_same_rows(first: int) -> None:
    numbers = np.arange(first, first + 3_000)
    whole = chosen_numbers(numbers)
    for size in (1, 77, 1_024):
        pieces = [chosen_numbers(numbers[start : start + size]) for start in range(0, 3_000, size)]
        assert [*itertools.chain(*pieces)] == whole


def test_rows_that_left_change_nothing_about_the_others() -> None:
    numbers = np.arange(UNIT)
    is_left = np.random.default_rng(1).random(UNIT) < 0.5
    left = numbers[is_left]
    assert chosen_numbers(left) == sorted(set(chosen_numbers(numbers)) & set(left.tolist()))
    assert len(choose(numbers[:0]).positions) == 0


@pytest.mark.parametrize("period", [2, 7, 16, 128, 1_000, 1_024])
def test_what_repeats_itself_is_told_by_all_of_its_places(period: int) -> None:
    numbers = np.array(chosen_numbers(np.arange(1 << 19)))
    counts = np.bincount(numbers % period, minlength=period)
    expected = len(numbers) / period
    # Five deviations of drawing by chance.
    assert abs(counts - expected).max() < 5 * np.sqrt(expected)
