"""States of numbers, against numpy and exact fractions of Python."""

from collections import Counter
from fractions import Fraction
from functools import reduce
import itertools
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from transforms.summaries.first_bits import find_bin, find_key
from transforms.summaries.moments import Moments, measure_moments, merge_moments
from transforms.summaries.numbers import (
    CutPoints,
    Numbers,
    count_numbers,
    merge_numbers,
)

CUTS = CutPoints(-1.5, 2.0, (-1.0, 0.0, 0.1, 1.7))
RANDOM = np.random.default_rng(5)
NORMAL = RANDOM.standard_normal(10_000)


def exact_moments(values: Any) -> tuple[Fraction, Fraction]:
    """Mean and variance without any rounding."""
    numbers = [Fraction(value) for value in np.asarray(values).tolist()]
    mean = sum(numbers, Fraction(0)) / len(numbers)
    return mean, sum(((number - mean) ** 2 for number in numbers), Fraction(0)) / len(numbers)


def moments_of(values: np.ndarray) -> Moments:
    return measure_moments(values, float(values.min()), float(values.max()))


@pytest.mark.parametrize(
    "values",
    [
        NORMAL,
        NORMAL * 1e300,
        NORMAL * 1e-300,
        NORMAL * 1e-20 + 1e-10,
        NORMAL + 1e9,
        np.full(50, 0.1),
        np.array([1e308, -1e308, 1e308]),
        np.array([5e-324, 1e-323]),
        np.array([7.5]),
        RANDOM.integers(-(2**62), 2**62, 500),
        RANDOM.integers(0, 2**64, 500, dtype=np.uint64),
        RANDOM.integers(0, 200, 500, dtype=np.uint8),
    ],
    ids=str,
)
def test_mean_and_deviation_are_those_of_exact_numbers(values: np.ndarray) -> None:
    mean, variance = exact_moments(values)
    moments = moments_of(values)
    spread = max(float(np.ptp(values.astype(np.float64) / 2)), math.ulp(abs(float(mean))))
    assert moments.count == len(values)
    assert moments.mean == pytest.approx(float(mean), rel=1e-15, abs=spread * 1e-15)
    expected = float(abs(variance) ** Fraction(1, 2)) if variance < Fraction(10) ** 300 else None
    if expected is not None and variance > Fraction(10) ** -300:
        assert moments.deviation == pytest.approx(expected, rel=1e-12)
    elif variance:
        assert moments.deviation is not None
        ratio = Fraction(moments.deviation) ** 2 / variance
        assert float(ratio) == pytest.approx(1, rel=1e-9) or variance < Fraction(10) ** -640
    else:
        assert moments.deviation == 0.0


@pytest.mark.parametrize("factor", [1.0, 1e-25, 1e25, 1e38])
def test_moments_of_float32_are_right_in_its_digits(factor: float) -> None:
    values = (np.clip(NORMAL, -3, 3) * factor + factor / 3).astype(np.float32)
    mean, variance = exact_moments(values)
    moments = moments_of(values)
    deviation = math.sqrt(float(variance / Fraction(factor) ** 2)) * factor
    assert moments.deviation == pytest.approx(deviation, rel=1e-6)
    assert moments.mean == pytest.approx(float(mean), abs=deviation * 1e-7)


def test_no_numbers_have_no_mean() -> None:
    assert (Moments().mean, Moments().deviation) == (None, None)


def test_sums_are_whole_numbers_of_the_smallest_floats() -> None:
    moments = moments_of(np.array([1.0, 2.0]))
    assert moments == Moments(2, 3 << 1074, 5 << 2148)
    tiny = moments_of(np.array([5e-324, 5e-324]))
    assert tiny == Moments(2, 2, 2)


@given(st.permutations(range(6)))
def test_the_order_of_batches_changes_nothing(order: list[int]) -> None:
    batches = [moments_of(NORMAL[number * 100 : (number + 1) * 100]) for number in range(6)]
    expected = reduce(merge_moments, batches)
    left = reduce(merge_moments, [batches[number] for number in order[:3]])
    right = reduce(merge_moments, [batches[number] for number in order[3:]])
    assert merge_moments(right, left) == expected


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "int32", "int64", "uint8", "uint64"]
)
def test_counts_are_those_of_a_histogram(dtype: str) -> None:
    values = np.round(NORMAL[:2_000] * 2, 1).astype(dtype)
    found = count_numbers(values, CUTS)
    exact = [Fraction(value) for value in values.tolist()]
    ends = [-math.inf, *CUTS.points, math.inf]
    expected = [
        sum(low <= value < high for value in exact) for low, high in itertools.pairwise(ends)
    ]
    assert list(found.counts) == expected
    assert found.below == sum(value < CUTS.low for value in exact)
    assert found.above == sum(value > CUTS.high for value in exact)
    assert found.minimum == float(min(exact))
    assert found.maximum == float(max(exact))
    assert found.bins == {}


def test_cut_points_between_large_integers_are_exact() -> None:
    large = 2**60
    values = np.array([large - 1, large, large + 1, 2**63 - 1])
    found = count_numbers(values, CutPoints(float(large), float(large), (float(large), 2.0**63)))
    assert found.counts == (1, 3, 0)
    assert (found.below, found.above) == (1, 2)


def test_cut_points_between_floats_of_32_bits_are_exact() -> None:
    tenth = np.float32(0.1)
    values = np.array([np.nextafter(tenth, np.float32(0)), tenth], dtype=np.float32)
    # 0.1 of 64 bits is less than that of 32.
    assert float(tenth) > 0.1
    assert count_numbers(values, CutPoints(0.1, 0.1, (0.1,))).counts == (1, 1)
    assert count_numbers(values, CutPoints(0.1, 0.1, (0.1,))).above == 1


def test_numbers_at_a_cut_point_are_not_below_it_and_at_the_ends_not_out_of_range() -> None:
    twice = count_numbers(np.array([2.0, 2.0]), CutPoints(2.0, 2.0, (2.0,)))
    assert (twice.counts, twice.below, twice.above) == ((0, 2), 0, 0)
    pair = count_numbers(np.array([1.0, 2.0]), CutPoints(2.0, 1.0, (2.0,)))
    assert (pair.counts, pair.below, pair.above) == ((1, 1), 1, 1)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_is_not_finite_is_counted_apart(dtype: str) -> None:
    values = np.array([np.nan, 1.0, np.inf, -np.inf, np.nan, 0.5], dtype=dtype)
    found = count_numbers(values, CUTS)
    assert (found.nan, found.infinite) == (2, 2)
    assert (found.minimum, found.maximum, found.moments.mean) == (0.5, 1.0, 0.75)
    assert found.counts == (0, 0, 0, 2, 0)
    nothing = count_numbers(values[[0, 2]], CUTS)
    assert nothing == Numbers(nan=1, infinite=1, counts=(0,) * 5)


def test_no_numbers_merge_with_some() -> None:
    nothing = count_numbers(np.array([], dtype=np.float32), CUTS)
    some = count_numbers(np.array([1.0, 3.0]), CUTS)
    assert merge_numbers(nothing, some) == some == merge_numbers(some, nothing)
    assert merge_numbers(nothing, nothing) == nothing


@pytest.mark.slow
@pytest.mark.parametrize("cuts", [None, CUTS])
def test_however_rows_are_cut_counts_are_the_same(cuts: CutPoints | None) -> None:
    values = np.append(NORMAL, [np.nan, np.inf, 0.0, -0.0])
    whole = count_numbers(values, cuts)
    for size in (1, 7, 1_000):
        pieces = [
            count_numbers(values[first : first + size], cuts)
            for first in range(0, len(values), size)
        ]
        merged = reduce(merge_numbers, pieces)
        assert merged.counts == whole.counts
        assert merged.bins == whole.bins
        assert (merged.nan, merged.infinite, merged.below) == (1, 1, whole.below)
        assert (merged.minimum, merged.maximum) == (whole.minimum, whole.maximum)
        assert merged.moments.mean == pytest.approx(whole.moments.mean, rel=1e-12)
        assert merged.moments.deviation == pytest.approx(whole.moments.deviation, rel=1e-12)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_first_bits_tell_a_number_within_a_sixteenth(number: float) -> None:
    near = find_bin(find_key(number))
    assert abs(near) <= abs(number)
    # Below the smallest normal number there are fewer bits.
    assert abs(number - near) <= max(abs(number) / 16, 2.0**-1026)
    assert math.copysign(1, near) == math.copysign(1, number)


def test_bins_are_counts_of_first_bits() -> None:
    found = count_numbers(np.array([1.0, 1.03, -1.03, 0.0, -0.0, 300.0], dtype=np.float32), None)
    bins = {find_bin(key): count for key, count in found.bins.items()}
    assert bins == {1.0: 2, -1.0: 1, 0.0: 2, 288.0: 1}


@pytest.mark.parametrize("smallest", [1.5, 0.0, 1e-42])
def test_bins_of_32_bits_are_those_of_the_same_numbers_in_64(smallest: float) -> None:
    bits = RANDOM.integers(0, 2**32, 5_000, dtype=np.uint32)
    values = bits.view(np.float32)
    is_kept = np.isfinite(values) & (abs(values) >= max(smallest, 2.0**-126))
    ends = np.array([smallest, -smallest, 2.0**-126, 3e38], dtype=np.float32)
    narrow = np.append(values[is_kept], ends)
    wide = narrow.astype(np.float64)
    assert count_numbers(narrow, None).bins == count_numbers(wide, None).bins
    expected = Counter(find_key(abs(value) and value) for value in wide.tolist())
    assert count_numbers(wide, None).bins == expected
