"""How far counts of new rows are from those of a reference, and whether chance alone could explain it.

    counts between cut points, then and now -> PSI, Jensen-Shannon, Kolmogorov-Smirnov
    counts of values                        -> chi-squared
    rows with a missing value               -> Fisher's exact test, or a normal score

Every comparison has a distance, which says how much changed, and a chance, of as large a distance where
nothing changed. A threshold on the distance alone is crossed by small nights that are as they should be,
and one on the chance by large nights with a change that nobody minds: both are asked.
"""

from collections.abc import Sequence
from math import erfc, inf, log, sqrt
from statistics import median
from typing import NamedTuple, TypeAlias

import numpy as np

# Of rows in each bin or value, (bins,).
Counts: TypeAlias = Sequence[int] | np.ndarray
# Added to each count: of none the logarithm would be infinite.
_HALF = 0.5
# So many are expected of each value where the chance of chi-squared is to be trusted (Cochran).
_FEWEST_EXPECTED = 5.0
# Of fewer rows with a missing value, in both together, the chance is exact.
_FEW = 1_000


class Change(NamedTuple):
    """How much changed.

    Attributes:
        distance: 0 where nothing did.
        chance: of a distance at least as large, where both are drawn from the same rows.
    """

    distance: float
    chance: float


# Also where there is nothing to compare.
_NO_CHANGE = Change(0.0, 1.0)


def compare_psi(reference: Counts, counts: Counts) -> Change:
    """Return the population stability index, with the chance of one as large.

    Where nothing changed, it is 1/n + 1/m times a chi-squared number with one degree less than there
    are bins, of n and m rows (Yurdakul, 2018).

    Args:
        reference, counts: rows in each bin, then and now.
    """
    then, now = _drop_empty(reference, counts)
    rows_then = then.sum()
    rows_now = now.sum()
    bins = len(then)
    if not rows_then or not rows_now or bins < 2:
        return _NO_CHANGE
    halves = _HALF * bins
    share_then = (then + _HALF) / (rows_then + halves)
    share_now = (now + _HALF) / (rows_now + halves)
    growth = np.log(share_now / share_then)
    terms = (share_now - share_then) * growth
    distance = float(terms.sum())
    expected = 1 / rows_then + 1 / rows_now
    statistic = distance / expected
    chance = _find_tail(statistic, bins - 1)
    return Change(distance, chance)


def measure_jensen_shannon(reference: Counts, counts: Counts) -> float:
    """Return the Jensen-Shannon distance, from 0 to 1; its chance is that of PSI.

    Args:
        reference, counts: rows in each bin, then and now.
    """
    # Here: scipy takes a third of a second to import, and most runs compare nothing.
    from scipy.special import rel_entr

    then, now = _drop_empty(reference, counts)
    if not then.sum() or not now.sum():
        return 0.0
    share_then = then / then.sum()
    share_now = now / now.sum()
    middle = (share_then + share_now) / 2
    of_then = rel_entr(share_then, middle).sum()
    of_now = rel_entr(share_now, middle).sum()
    mean_bits = (of_then + of_now) / 2 / log(2)
    # Rounding may leave a little less than nothing.
    return sqrt(max(0.0, mean_bits))


def compare_kolmogorov_smirnov(reference: Counts, counts: Counts) -> Change:
    """Return the largest difference of both distributions at a cut point, with its chance.

    Between cut points it may be larger, so the chance is told too high, and never too low.

    Args:
        reference, counts: rows in each bin, in the order of the bins, then and now.
    """
    from scipy.special import kolmogorov

    then = _to_floats(reference)
    now = _to_floats(counts)
    rows_then = then.sum()
    rows_now = now.sum()
    if not rows_then or not rows_now:
        return _NO_CHANGE
    share_up_to_then = np.cumsum(then) / rows_then
    share_up_to_now = np.cumsum(now) / rows_now
    differences = np.abs(share_up_to_then - share_up_to_now)
    distance = float(differences.max())
    effective_rows = rows_then * rows_now / (rows_then + rows_now)
    chance = kolmogorov(distance * sqrt(effective_rows))
    return Change(distance, float(chance))


def compare_categories(reference: Counts, counts: Counts) -> Change:
    """Return the largest change of a value's share, with the chance by a chi-squared test.

    Values that too few rows have are put together.

    Args:
        reference, counts: rows with each value, then and now.
    """
    found_then, found_now = _drop_empty(reference, counts)
    then, now = put_rare_together(found_then, found_now)
    rows_then = then.sum()
    rows_now = now.sum()
    values = len(then)
    if not rows_then or not rows_now or values < 2:
        return _NO_CHANGE
    both = then + now
    all_rows = rows_then + rows_now
    expected_then = both * rows_then / all_rows
    expected_now = both * rows_now / all_rows
    of_then = _sum_deviations(then, expected_then)
    of_now = _sum_deviations(now, expected_now)
    statistic = of_then + of_now
    share_then = then / rows_then
    share_now = now / rows_now
    differences = np.abs(share_then - share_now)
    distance = float(differences.max())
    chance = _find_tail(statistic, values - 1)
    return Change(distance, chance)


def compare_shares(
    reference: int,
    reference_rows: int,
    count: int,
    rows: int,
) -> Change:
    """Return by how much a share of rows changed, with its chance: of missing values, or of new ones.

    Args:
        reference, reference_rows: rows that had it then, and all.
        count, rows: the same, now.
    """
    if not reference_rows or not rows:
        return _NO_CHANGE
    share_then = reference / reference_rows
    share_now = count / rows
    distance = abs(share_now - share_then)
    all_rows = reference_rows + rows
    with_it = reference + count
    without_it = all_rows - with_it
    if not with_it or not without_it:
        return Change(distance, 1.0)
    # Exact, while that is quick.
    if min(with_it, without_it) < _FEW:
        from scipy.stats import fisher_exact

        then = (reference, reference_rows - reference)
        now = (count, rows - count)
        exact = fisher_exact([then, now])
        return Change(distance, float(exact.pvalue))
    share = with_it / all_rows
    variance_of_one = share * (1 - share)
    variance = variance_of_one * (1 / reference_rows + 1 / rows)
    normal_score = distance / sqrt(variance)
    # Of a standard normal number, on either side.
    chance = erfc(normal_score / sqrt(2))
    return Change(distance, chance)


def measure_volume(rows: int, earlier: Sequence[int]) -> float:
    """Return by what part of them the rows of a run are more, or less, than those of earlier runs.

    There is no chance of it: how many rows there are is not drawn from anything.

    Args:
        rows: of the run.
        earlier: of runs before it; their median counts.

    >>> measure_volume(75, [100, 100, 400]), measure_volume(5, [0])
    (-0.25, inf)
    """
    if not earlier:
        return 0.0
    usual = median(earlier)
    if not usual:
        return inf if rows else 0.0
    return rows / usual - 1


def find_beyond_chance(chances: Sequence[float], level: float) -> list[bool]:
    """Return which of many comparisons are beyond chance, all of them together.

    Where nothing changed, the chance that any of them is told is at most `level`, however many there
    are and however they hang together (Holm, 1979).

    Args:
        chances: of each comparison.
        level: how often a night may raise an alarm that is none: 0.001 is one in a thousand nights.

    >>> find_beyond_chance([0.04, 0.0001, 0.03], 0.05)
    [False, True, False]
    """
    count = len(chances)
    is_beyond = [False] * count
    order = sorted(range(count), key=chances.__getitem__)
    for rank, place in enumerate(order):
        level_here = level / (count - rank)
        if chances[place] > level_here:
            break
        is_beyond[place] = True
    return is_beyond


def join_sparse(
    reference: Counts,
    counts: Counts,
) -> tuple[np.ndarray, np.ndarray]:
    """Return both with neighbouring bins as one, where fewer rows are expected of one than the tests need.

    A statistic of counts is a chi-squared number only where some rows are expected of each bin.

    Args:
        reference, counts: rows in each bin, in the order of the bins, then and now.

    >>> [joined.tolist() for joined in join_sparse([1, 4, 20, 25, 1], [0, 6, 19, 24, 2])]
    [[5.0, 20.0, 26.0], [6.0, 19.0, 26.0]]
    """
    then = _to_floats(reference)
    now = _to_floats(counts)
    both = then + now
    smaller = min(then.sum(), now.sum())
    if not smaller:
        return then, now
    # Of the smaller of the two, whose rows are fewer in each bin.
    expected = both * smaller / both.sum()
    firsts = [0]
    of_group = 0.0
    for place, rows in enumerate(expected):
        left = expected[place:].sum()
        # What is left must be enough for a group, too.
        if of_group >= _FEWEST_EXPECTED and left >= _FEWEST_EXPECTED:
            firsts.append(place)
            of_group = 0.0
        of_group += rows
    joined_then = np.add.reduceat(then, firsts)
    joined_now = np.add.reduceat(now, firsts)
    return joined_then, joined_now


def _to_floats(counts: Counts) -> np.ndarray:
    return np.asarray(counts, dtype=np.float64)


def _drop_empty(
    reference: Counts,
    counts: Counts,
) -> tuple[np.ndarray, np.ndarray]:
    """Return both as floats, without bins that are empty in both."""
    then = _to_floats(reference)
    now = _to_floats(counts)
    if then.shape != now.shape:
        raise ValueError(f"{len(then)} bins cannot be compared with {len(now)}")
    is_there = then + now > 0
    return then[is_there], now[is_there]


def put_rare_together(
    then: np.ndarray,
    now: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return both with those values as one of which fewer are expected than the test needs."""
    all_rows = then.sum() + now.sum()
    if not all_rows:
        return then, now
    smaller = min(then.sum(), now.sum())
    expected = (then + now) * smaller / all_rows
    is_rare = expected < _FEWEST_EXPECTED
    if is_rare.sum() < 2:
        return then, now
    joined_then = _join(then, is_rare)
    joined_now = _join(now, is_rare)
    return joined_then, joined_now


def _join(counts: np.ndarray, is_rare: np.ndarray) -> np.ndarray:
    """Return counts with those that are rare as one, behind the others."""
    others = counts[~is_rare]
    together = counts[is_rare].sum()
    return np.append(others, together)


def _sum_deviations(found: np.ndarray, expected: np.ndarray) -> float:
    """Return what counts add to a chi-squared number."""
    deviations = found - expected
    terms = deviations**2 / expected
    return float(terms.sum())


def _find_tail(statistic: float, degrees: int) -> float:
    """Return the chance of a chi-squared number at least as large."""
    from scipy.special import chdtrc

    return float(chdtrc(degrees, statistic))
