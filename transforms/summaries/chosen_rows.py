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
# Of a larger one at least this part of that, of which the noise is far below any threshold.
_LEAST_PART = 16
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
    least_chosen = max(1, most_whole_rows // _LEAST_PART)
    neighbours = unit_rows // least_chosen
    # Of a power of two of them, at most so many, the digest's first bits draw one.
    bits = neighbours.bit_length() - 1
    weight = 1 << bits
    if not len(numbers):
        return ChosenRows(numbers, weight)
    positions = _find_chosen(numbers, bits)
    return ChosenRows(positions, weight)


def _find_chosen(numbers: np.ndarray, bits: int) -> np.ndarray:
    """Return the positions of those rows, at least one, that are chosen of each 2 ** bits neighbours."""
    first = int(numbers[0])
    last = int(numbers[-1])
    first_group = first >> bits
    last_group = last >> bits
    drawn = _draw_rows(first_group, last_group + 1, bits)
    is_contiguous = last - first == len(numbers) - 1
    # As most batches are. Then only those that were drawn are looked at, and not every row.
    if is_contiguous:
        is_here = (drawn >= first) & (drawn <= last)
        return drawn[is_here] - first
    groups = (numbers >> bits) - first_group
    is_chosen = drawn[groups] == numbers
    return np.flatnonzero(is_chosen)


def _draw_rows(first_group: int, end_group: int, bits: int) -> np.ndarray:
    """Return the number of one row of each group of neighbours."""
    groups = np.arange(first_group, end_group)
    mixed = groups.astype(np.uint64)
    # As 0 is mixed to 0.
    mixed += np.uint64(1)
    for odd_number, shift in zip(_ODD_NUMBERS, _RIGHT_SHIFTS, strict=True):
        # What is larger than 64 bits is cut off.
        mixed *= np.uint64(odd_number)
        mixed ^= mixed >> np.uint64(shift)
    # The first bits are as good as any others.
    places = mixed >> np.uint64(64 - bits)
    first_rows = groups << bits
    return first_rows + places.astype(np.int64)
