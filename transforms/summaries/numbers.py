"""A state of numbers: how many are NaN or infinite, their range, moments, and counts between cut points.

    cut points       1.0   2.0   5.0           of the reference
    counts        3  |  10  |  7  |  1         below 1.0, from 1.0 up to 2.0, ...

Where no reference gives cut points, numbers are counted by the first bits of their floats: sign,
exponent, and the first 4 of the fraction. These are cut points, too, the same for all numbers that there
are, 16 of them from each power of two to the next: so whatever is read off them is right within
1/16 of a number, in whichever order they came.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from math import ceil, floor, inf, isfinite, nextafter
import threading
from typing import NamedTuple, TypeAlias

import numpy as np

from transforms.summaries.moments import NO_MOMENTS, Moments, measure_moments, merge_moments

# Of 64 bits: those of the fraction that are left out.
_LEFT_OUT_BITS = 48
# Of 32 bits, whose exponent has three bits fewer, the same ones of the fraction.
_LEFT_OUT_BITS_OF_32 = 19
_SMALLEST_NORMAL_OF_32 = float(np.finfo(np.float32).smallest_normal)
# `min` or `max`.
_Choose: TypeAlias = Callable[[float, float], float]


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


@dataclass(frozen=True)
class Numbers:
    """What is known of numbers; missing ones are none.

    Attributes:
        nan, infinite: how many are; all else is of the finite ones.
        minimum, maximum: None of no numbers.
        below, above: how many are out of the reference's range.
        counts: between cut points; nothing where there are none.
        bins: how many have these first bits, by the bits; nothing where there are cut points.
    """

    nan: int = 0
    infinite: int = 0
    minimum: float | None = None
    maximum: float | None = None
    moments: Moments = NO_MOMENTS
    below: int = 0
    above: int = 0
    counts: tuple[int, ...] = ()
    bins: Mapping[int, int] = field(default_factory=dict)


def count_numbers(values: np.ndarray, cuts: CutPoints | None) -> Numbers:
    """Return what is known of numbers.

    Args:
        values: integers or floats, (numbers,).
        cuts: what to count them by; None for the first bits of each.
    """
    # Of those Arrow and numpy can do little with, and compare slowly.
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    if not len(values):
        counts = () if cuts is None else (0,) * (len(cuts.points) + 1)
        return Numbers(counts=counts)
    # As Python's numbers: integers exactly.
    minimum = np.minimum.reduce(values).item()
    maximum = np.maximum.reduce(values).item()
    # A NaN is the smallest of all, and an infinity one of both ends: no need to look at each.
    if not (isfinite(minimum) and isfinite(maximum)):
        return _count_finite(values, cuts)
    counted = _Counted(values, minimum, maximum)
    smallest = float(minimum)
    largest = float(maximum)
    moments = measure_moments(values, smallest, largest)
    if cuts is None:
        bins = _count_bits(values)
        return Numbers(minimum=smallest, maximum=largest, moments=moments, bins=bins)
    return Numbers(
        minimum=smallest,
        maximum=largest,
        moments=moments,
        below=counted.count_below(cuts.low),
        above=counted.count_above(cuts.high),
        counts=counted.count_between(cuts.points),
    )


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
    )


def find_bin(key: int) -> float:
    """Return the number nearest to zero that has these first bits.

    >>> find_bin(find_key(1.03)), find_bin(find_key(-40.0))
    (1.0, -40.0)
    """
    bits = np.array(key << _LEFT_OUT_BITS, dtype=np.uint64)
    return float(bits.view(np.float64))


def find_key(number: float) -> int:
    """Return the first bits of a number."""
    bits = np.array(number, dtype=np.float64).view(np.uint64)
    return int(bits) >> _LEFT_OUT_BITS


class _CountedKeys(NamedTuple):
    """First bits of numbers, and how many numbers have each."""

    keys: np.ndarray
    counts: np.ndarray


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


class _Counted:
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

    def count_between(self, points: Sequence[float]) -> tuple[int, ...]:
        """Return how many there are below the first point, from each up to the next, and from the last."""
        up_to = [self.count_below(point) for point in points]
        ends = [0, *up_to, len(self._values)]
        return tuple(after - before for before, after in pairwise(ends))


def _count_finite(values: np.ndarray, cuts: CutPoints | None) -> Numbers:
    """Return what is known of the finite ones of some numbers, and how many others there are."""
    finite = values[np.isfinite(values)]
    nan = int(np.count_nonzero(np.isnan(values)))
    infinite = len(values) - len(finite) - nan
    return replace(count_numbers(finite, cuts), nan=nan, infinite=infinite)


# The same for each batch.
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


def _count_bits(values: np.ndarray) -> dict[int, int]:
    """Return how many numbers have which first bits."""
    counted = None
    if values.dtype == np.float32:
        counted = _count_bits_of_32(values)
    if counted is None:
        # Nothing is added but to make zero of minus zero.
        wide = np.add(values, 0.0, dtype=np.float64)
        first_bits = wide.view(np.uint64)
        # In place: a second array of this size is memory that the kernel clears each time.
        first_bits >>= _LEFT_OUT_BITS
        counted = _count_keys(first_bits)
    keys, counts = counted
    pairs = zip(keys.tolist(), counts.tolist(), strict=True)
    return dict(pairs)


def _count_bits_of_32(values: np.ndarray) -> _CountedKeys | None:
    """Return the same of floats of 32 bits, by their own first bits; None where these do not tell."""
    counted = _count_keys(values.view(np.uint32) >> _LEFT_OUT_BITS_OF_32)
    bits = counted.keys.astype(np.uint32) << _LEFT_OUT_BITS_OF_32
    nearest = bits.view(np.float32)
    # Zero of either sign, or a number so small that as one of 64 bits it has other first ones.
    if np.abs(nearest).min() < _SMALLEST_NORMAL_OF_32:
        return None
    wide = nearest.astype(np.float64)
    return _CountedKeys(wide.view(np.uint64) >> _LEFT_OUT_BITS, counted.counts)


def _count_keys(keys: np.ndarray) -> _CountedKeys:
    """Return how often each key is there."""
    signed = keys.view(f"i{keys.itemsize}")
    # No place for keys beyond those that are there: to clear and search it took longer than to count.
    counts = np.bincount(signed)
    # Of booleans numpy finds the true ones faster than of integers those that are not zero.
    found = np.flatnonzero(counts > 0)
    return _CountedKeys(found, counts[found])


def _choose(choose: _Choose, first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return choose(first, second)
