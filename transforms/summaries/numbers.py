"""A state of numbers: how many are NaN or infinite, their range, moments, and counts between cut points.

    cut points       1.0   2.0   5.0           of the reference
    counts        3  |  10  |  7  |  1         below 1.0, from 1.0 up to 2.0, ...

The range is that of all numbers. In a large unit, moments and counts are those of chosen rows, each of
which stands for others, too (`chosen_rows.py`).

Where no reference gives cut points, numbers are counted by the first bits of their floats (`first_bits.py`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from math import ceil, floor, inf, isfinite, nextafter
import threading
from typing import NamedTuple, TypeAlias

import numpy as np

from transforms.summaries.first_bits import count_bits
from transforms.summaries.moments import (
    NO_MOMENTS,
    Moments,
    measure_moments,
    merge_moments,
    weigh_moments,
)

# `min` or `max`.
_Choose: TypeAlias = Callable[[float, float], float]
# Gives those of some numbers that are counted.
_ChooseNumbers: TypeAlias = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class CutPoints:
    """What numbers are counted by.

    Attributes:
        low, high: the range of the reference.
        points: ascending.
    """

    low: float
    high: float
    points: tuple[float, ...]


_NO_BINS: Mapping[int, int] = {}


class Numbers(NamedTuple):
    """What is known of numbers; missing ones are none.

    No dataclass: one is made for each column of each batch, and takes a third of the time.

    Attributes:
        nan, infinite: how many are; all else is of the finite ones.
        minimum, maximum: None of no numbers.
        moments: of those that are counted, each as often as it stands for others.
        below, above: how many are out of the reference's range.
        counts: between cut points, as often; nothing where there are none.
        bins: how many have these first bits, by the bits; nothing where there are cut points.
        finite: how many there are.
        counted: how many of them were counted.
        squared_weights: the squares of how many each of those stands for, added up.
    """

    nan: int = 0
    infinite: int = 0
    minimum: float | None = None
    maximum: float | None = None
    moments: Moments = NO_MOMENTS
    below: int = 0
    above: int = 0
    counts: tuple[int, ...] = ()
    bins: Mapping[int, int] = _NO_BINS
    finite: int = 0
    counted: int = 0
    squared_weights: int = 0


class Weighted(NamedTuple):
    """Numbers that are counted, and how many each stands for."""

    values: np.ndarray
    weight: int


class Choice(NamedTuple):
    """How numbers are chosen that are counted.

    Attributes:
        choose: gives those of some numbers, in their type.
        weight: how many each stands for.
        few: of so many numbers, or fewer, all are counted.
    """

    choose: _ChooseNumbers
    weight: int
    few: int = 0

    def apply(self, values: np.ndarray) -> Weighted:
        """Return those of some numbers that are counted."""
        if len(values) <= self.few:
            return Weighted(values, 1)
        return Weighted(self.choose(values), self.weight)


def count_numbers(
    values: np.ndarray,
    cuts: CutPoints | None,
    choice: Choice | None = None,
) -> Numbers:
    """Return what is known of numbers.

    Args:
        values: integers or floats, (numbers,).
        cuts: what to count them by; None for the first bits of each.
        choice: which of them are counted; None of all.
    """
    # Of those Arrow and numpy can do little with, and compare slowly.
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    if not len(values):
        bins_between = 0 if cuts is None else len(cuts.points) + 1
        return Numbers(counts=(0,) * bins_between)
    # As Python's numbers: integers exactly.
    minimum = np.minimum.reduce(values).item()
    maximum = np.maximum.reduce(values).item()
    # A NaN is the smallest of all, and an infinity one of both ends: no need to look at each.
    if not (isfinite(minimum) and isfinite(maximum)):
        return _count_others(values, cuts, choice)
    # Only now: they are in a core's cache by then.
    some = Weighted(values, 1) if choice is None else choice.apply(values)
    return _count_finite(values, some, cuts, (minimum, maximum))


def merge_numbers(first: Numbers, second: Numbers) -> Numbers:
    """Return what is known of the numbers of both."""
    bins = first.bins
    # Most numbers have cut points, and no bins.
    if second.bins:
        bins = Counter(bins)
        bins.update(second.bins)
    # Those of no numbers say so by the number of cut points.
    pairs = zip(first.counts, second.counts, strict=True)
    return Numbers(
        first.nan + second.nan,
        first.infinite + second.infinite,
        _choose(min, first.minimum, second.minimum),
        _choose(max, first.maximum, second.maximum),
        merge_moments(first.moments, second.moments),
        first.below + second.below,
        first.above + second.above,
        tuple(one + other for one, other in pairs),
        bins,
        first.finite + second.finite,
        first.counted + second.counted,
        first.squared_weights + second.squared_weights,
    )


class _Scratch(threading.local):
    """Room for as many booleans as there are numbers in a batch, of each thread.

    New memory for each column would take as long as half of all comparisons.
    """

    def __init__(self) -> None:
        self._room = np.empty(0, dtype=np.bool_)

    def take(self, count: int) -> np.ndarray:
        """Return room for so many, which holds whatever it held before."""
        if len(self._room) < count:
            self._room = np.empty(count, dtype=np.bool_)
        return self._room[:count]


_scratch = _Scratch()


class _Compared:
    """Numbers that are compared with one point after another.

    A comparison of all of them is done by vector instructions, and so are seven: to look each up
    among seven points takes ten times as long. One call for all points, blocks that fit a core's first
    cache, and answers that are added up as bytes all take about as long: what counts is the
    instructions, and neither memory nor calls.
    """

    def __init__(
        self,
        values: np.ndarray,
        minimum: float,
        maximum: float,
    ) -> None:
        self._values = values
        self._minimum = minimum
        self._maximum = maximum
        # Where each answer goes, in turn.
        self._is_below = _scratch.take(len(values))

    def count_below(self, point: float) -> int:
        """Return how many are less than a point, by their exact values."""
        if point <= self._minimum:
            return 0
        if point > self._maximum:
            return len(self._values)
        exact = _round_up(point, self._values.dtype)
        np.less(self._values, exact, out=self._is_below)
        return int(np.count_nonzero(self._is_below))

    def count_above(self, point: float) -> int:
        """Return how many are greater than a point."""
        if point >= self._maximum:
            return 0
        if point < self._minimum:
            return len(self._values)
        # There is no number between the point and what comes next to it.
        after = nextafter(point, inf)
        # Large integers are closer to each other than floats are.
        if self._values.dtype.kind != "f":
            after = floor(point) + 1
        return len(self._values) - self.count_below(after)

    def count_between(
        self,
        points: Sequence[float],
        weight: int,
    ) -> tuple[int, ...]:
        """Return how many there are below the first point, from each up to the next, and from the last.

        Args:
            points: ascending.
            weight: how many each number stands for.
        """
        if self._values.dtype.kind == "f":
            up_to = self._count_below_each(points)
        else:
            up_to = [self.count_below(point) for point in points]
        ends = [0, *up_to, len(self._values)]
        between = [after - before for before, after in pairwise(ends)]
        return tuple(count * weight for count in between)

    def _count_below_each(self, points: Sequence[float]) -> list[int]:
        """Return how many floats are less than each point."""
        counts = []
        for point in _round_all_up(points, self._values.dtype):
            np.less(self._values, point, out=self._is_below)
            counts.append(int(np.count_nonzero(self._is_below)))
        return counts


def _measure(some: Weighted, minimum: float, maximum: float) -> Moments:
    """Return the moments of finite numbers, of which there may be none.

    Args:
        some: the numbers.
        minimum, maximum: of these and of others.
    """
    # Among the last rows of a unit none may be chosen.
    if not len(some.values):
        return NO_MOMENTS
    moments = measure_moments(some.values, minimum, maximum)
    return moments if some.weight == 1 else weigh_moments(moments, some.weight)


def _count_finite(
    values: np.ndarray,
    some: Weighted,
    cuts: CutPoints | None,
    ends: tuple[float, float],
) -> Numbers:
    """Return what is known of finite numbers.

    Args:
        values: all of them, at least one.
        some: those that are counted.
        cuts: what to count them by.
        ends: the smallest and the largest, as Python's numbers.
    """
    minimum, maximum = ends
    smallest = float(minimum)
    largest = float(maximum)
    weight = some.weight
    moments = _measure(some, smallest, largest)
    below = above = 0
    counts: tuple[int, ...] = ()
    bins = _NO_BINS
    if cuts is None:
        bins = count_bits(*some)
    else:
        compared = _Compared(values, minimum, maximum)
        below = compared.count_below(cuts.low)
        above = compared.count_above(cuts.high)
        counts = _Compared(some.values, minimum, maximum).count_between(cuts.points, weight)
    return Numbers(
        0,
        0,
        smallest,
        largest,
        moments,
        below,
        above,
        counts,
        bins,
        finite=len(values),
        counted=len(some.values),
        squared_weights=len(some.values) * weight * weight,
    )


def _count_others(values: np.ndarray, cuts: CutPoints | None, choice: Choice | None) -> Numbers:
    """Return what is known of the finite ones of some numbers, and how many others there are."""
    finite = values[np.isfinite(values)]
    nan = int(np.count_nonzero(np.isnan(values)))
    infinite = len(values) - len(finite) - nan
    if choice is not None:
        choose = partial(_choose_finite, values, choice.choose)
        choice = choice._replace(choose=choose)
    return count_numbers(finite, cuts, choice)._replace(nan=nan, infinite=infinite)


def _choose_finite(values: np.ndarray, choose: _ChooseNumbers, _: np.ndarray) -> np.ndarray:
    """Return the finite ones of those that are chosen among all, as a row's place says which."""
    chosen = choose(values)
    return chosen[np.isfinite(chosen)]


# The same for each batch.
@lru_cache(maxsize=1 << 14)
def _round_all_up(
    points: Sequence[float],
    dtype: np.dtype,
) -> tuple[np.ndarray, ...]:
    """Return the first floats of a type that are not below these points; an infinity where there is none.

    As arrays of no dimension, which numpy compares with in less time than with its numbers.
    """
    # Beyond the largest float of 32 bits is an infinity, which says the same.
    with np.errstate(over="ignore"):
        return tuple(np.array(_round_up(point, dtype)) for point in points)


@lru_cache(maxsize=1 << 14)
def _round_up(point: float, dtype: np.dtype) -> np.generic:
    """Return the first number of a type that is not below a point, which is in its range."""
    if dtype.kind != "f":
        return dtype.type(ceil(point))
    rounded = dtype.type(point)
    # As doubles: numpy would round the point before it compares.
    if float(rounded) < point:
        rounded = np.nextafter(rounded, dtype.type(np.inf))
    return rounded


def _choose(
    choose: _Choose,
    first: float | None,
    second: float | None,
) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return choose(first, second)
