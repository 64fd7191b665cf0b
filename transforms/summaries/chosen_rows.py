"""Which rows of a large unit are counted: of some neighbours one, whose place a digest draws.

    rows of the shard     0 ............ 15 | 16 ........... 31 | 32 ........... 47
    counted                      5          |  16               |               46

Which these are depends on nothing but a row's number in its shard, and how many rows its unit has: not on
batches, workers or reruns. One of each few, so rows in any order are told as evenly as they lie; and each
time at another place, so whatever repeats itself every so many rows is not told by one of its places alone.
"""

from typing import NamedTuple

import numpy as np

# Of a unit of so many rows all are counted: few units have more, and of fewer a sample saves little.
MOST_WHOLE_ROWS = 1 << 18
# Of a larger one at least the 16th part of that, of which the noise is far below any threshold.
_FEWER = 4
# Of SplitMix64 (Steele, Lea and Flood, 2014): neighbours get numbers that have nothing in common.
_ODD_NUMBERS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_RIGHT_SHIFTS = (30, 27, 31)


class RowPlaces(NamedTuple):
    """Where rows come from.

    Attributes:
        numbers: of each row in its shard, ascending; int64 (rows,).
        unit_rows: how many rows their unit has; None where only reading tells, or it has several shards.
    """

    numbers: np.ndarray
    unit_rows: int | None


class ChosenRows(NamedTuple):
    """Those of some rows that are counted.

    Attributes:
        positions: among these rows, ascending; int64 (chosen rows,).
        weight: how many rows each stands for.
    """

    positions: np.ndarray
    weight: int


def choose_rows(places: RowPlaces, most_whole_rows: int | None) -> ChosenRows | None:
    """Return which rows are counted; None where all are.

    Args:
        places: where the rows come from.
        most_whole_rows: of larger units some rows are counted; None where all are of every unit.
    """
    numbers, unit_rows = places
    if most_whole_rows is None or unit_rows is None or unit_rows <= most_whole_rows:
        return None
    fewest_chosen = max(1, most_whole_rows >> _FEWER)
    # As many neighbours as leave so many rows: a power of two.
    bits = (unit_rows // fewest_chosen).bit_length() - 1
    positions = _find_chosen(numbers, bits) if len(numbers) else numbers
    return ChosenRows(positions, 1 << bits)


def _find_chosen(numbers: np.ndarray, bits: int) -> np.ndarray:
    """Return the positions of those rows, at least one, that are chosen of each 2 ** bits neighbours."""
    first = int(numbers[0])
    last = int(numbers[-1])
    first_group = first >> bits
    drawn = _draw_rows(first_group, (last >> bits) + 1, bits)
    # As most batches are: nothing was left out between the first and the last.
    if last - first == len(numbers) - 1:
        is_here = (drawn >= first) & (drawn <= last)
        return drawn[is_here] - first
    is_chosen = drawn[(numbers >> bits) - first_group] == numbers
    return np.flatnonzero(is_chosen)


def _draw_rows(first_group: int, end_group: int, bits: int) -> np.ndarray:
    """Return the number of one row of each group of neighbours."""
    groups = np.arange(first_group, end_group)
    # What is larger than 64 bits is cut off.
    mixed = groups.astype(np.uint64) + np.uint64(1)
    for odd_number, shift in zip(_ODD_NUMBERS, _RIGHT_SHIFTS, strict=True):
        mixed *= np.uint64(odd_number)
        mixed ^= mixed >> np.uint64(shift)
    # The first bits are as good as any others.
    places = mixed >> np.uint64(64 - bits)
    return (groups << bits) + places.astype(np.int64)
