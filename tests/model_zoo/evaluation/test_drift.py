"""Distances and chances of drift, against scipy on the columns of real measurements."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from sklearn.datasets import load_breast_cancer

from model_zoo.evaluation.drift import (
    _drop_empty,
    compare_categories,
    compare_kolmogorov_smirnov,
    compare_psi,
    compare_shares,
    find_beyond_chance,
    join_sparse,
    measure_jensen_shannon,
    measure_volume,
)

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def real_counts() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Malignant beside benign, and odd beside even rows, of thirty measurements, between quantiles."""
    data = load_breast_cancer()
    halves = (data.target == 0, np.arange(len(data.target)) % 2 == 0)
    for column in data.data.T:
        for is_first in halves:
            then, now = column[is_first], column[~is_first]
            cuts = np.quantile(then, LEVELS)
            ends = [-np.inf, *np.unique(cuts), np.inf]
            counts = np.array([np.histogram(then, ends)[0], np.histogram(now, ends)[0]])
            # A value that is its own quantile leaves bins that are empty in both.
            yield tuple(counts[:, counts.any(axis=0)])


PAIRS = list(real_counts())


def test_nothing_to_compare_is_no_change() -> None:
    for compare in (compare_psi, compare_kolmogorov_smirnov, compare_categories):
        assert compare([0, 0], [3, 4]) == (0.0, 1.0)
        assert compare([5], [9]) == (0.0, 1.0)
    assert measure_jensen_shannon([0, 0], [3, 4]) == 0.0
    assert compare_shares(0, 0, 1, 2) == (0.0, 1.0)
    assert compare_shares(0, 9, 0, 8) == (0.0, 1.0)
    assert compare_shares(9, 9, 8, 8) == (0.0, 1.0)


def test_sparse_bins_are_joined_until_the_test_may_count() -> None:
    random = np.random.default_rng(3)
    shares = np.diff([0.0, *LEVELS, 1.0])
    for rows in (9, 60, 500):
        then, now = random.multinomial(rows, shares), random.multinomial(2 * rows, shares)
        joined = join_sparse(then, now)
        assert [part.sum() for part in joined] == [rows, 2 * rows]
        expected = (joined[0] + joined[1]) / 3
        assert len(expected) == 1 or expected.min() >= 5
    assert len(join_sparse([100] * 8, [90] * 8)[0]) == 8
    assert join_sparse([0, 0], [1, 2])[0].tolist() == [0, 0]


def test_bins_that_are_others_are_refused() -> None:
    with pytest.raises(ValueError, match="2 bins cannot be compared with 3"):
        compare_psi([1, 2], [1, 2, 3])


@pytest.mark.parametrize(("then", "now"), PAIRS)
def test_psi_is_the_sum_of_both_relative_entropies(then: np.ndarray, now: np.ndarray) -> None:
    p, q = ((counts + 0.5) / (counts + 0.5).sum() for counts in (then, now))
    expected = rel_entr(p, q).sum() + rel_entr(q, p).sum()
    distance, chance = compare_psi(then, now)
    assert distance == pytest.approx(expected, rel=1e-12)
    scale = 1 / then.sum() + 1 / now.sum()
    assert chance == pytest.approx(stats.chi2.sf(expected / scale, len(then) - 1), rel=1e-9)


@pytest.mark.parametrize(("then", "now"), PAIRS)
def test_jensen_shannon_is_scipys(then: np.ndarray, now: np.ndarray) -> None:
    assert measure_jensen_shannon(then, now) == pytest.approx(
        jensenshannon(then, now, base=2), rel=1e-9
    )


@pytest.mark.parametrize(("then", "now"), PAIRS)
def test_kolmogorov_smirnov_is_scipys_of_rows_that_stand_at_their_bins(
    then: np.ndarray, now: np.ndarray
) -> None:
    rows = [np.repeat(np.arange(len(counts)), counts) for counts in (then, now)]
    expected = stats.ks_2samp(*rows, method="asymp")
    distance, chance = compare_kolmogorov_smirnov(then, now)
    assert distance == pytest.approx(expected.statistic, rel=1e-12)
    effective = then.sum() * now.sum() / (then.sum() + now.sum())
    limit = stats.kstwobign.sf(distance * np.sqrt(effective))
    assert chance == pytest.approx(limit, rel=1e-9)
    # scipy's own is that of so few rows; the limit is a little more cautious.
    assert expected.pvalue <= chance + 1e-9 <= expected.pvalue + 0.05


@pytest.mark.parametrize(("then", "now"), PAIRS)
def test_chi_squared_is_scipys_where_enough_is_expected(then: np.ndarray, now: np.ndarray) -> None:
    table = np.array([then, now])
    expected = stats.contingency.expected_freq(table)
    is_rare = expected.min(axis=0) < 5
    if is_rare.sum() > 1:
        table = np.column_stack([table[:, ~is_rare], table[:, is_rare].sum(axis=1)])
    chance = stats.chi2_contingency(table, correction=False).pvalue
    assert compare_categories(then, now).chance == pytest.approx(chance, rel=1e-9)
    shares = table / table.sum(axis=1, keepdims=True)
    assert compare_categories(then, now).distance == pytest.approx(np.ptp(shares, axis=0).max())


@pytest.mark.parametrize(
    ("then", "rows_then", "now", "rows_now"),
    [(0, 500, 3, 400), (5, 500, 20, 400), (499, 500, 380, 400), (100, 100, 99, 100), (1, 2, 1, 2)],
)
def test_few_missing_values_are_compared_exactly(
    then: int, rows_then: int, now: int, rows_now: int
) -> None:
    table = [[then, rows_then - then], [now, rows_now - now]]
    change = compare_shares(then, rows_then, now, rows_now)
    assert change.chance == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-6)
    assert change.distance == pytest.approx(abs(then / rows_then - now / rows_now))


def test_many_missing_values_are_compared_by_a_normal_score() -> None:
    table = [[3_000, 97_000], [3_300, 96_700]]
    expected = stats.chi2_contingency(table, correction=False).pvalue
    assert compare_shares(3_000, 100_000, 3_300, 100_000).chance == pytest.approx(expected)


@pytest.mark.parametrize("count", [500, 499])
def test_a_chance_is_exact_of_less_than_a_thousand_rows(count: int) -> None:
    table = [[500, 9_500], [count, 8_000 - count]]
    normal = stats.chi2_contingency(table, correction=False).pvalue
    exact = stats.fisher_exact(table).pvalue
    expected = normal if count == 500 else exact
    assert compare_shares(500, 10_000, count, 8_000).chance == pytest.approx(expected, rel=1e-6)
    assert normal != pytest.approx(exact, rel=1e-3)


def test_two_bins_are_enough_to_compare() -> None:
    then, now = [40, 60], [70, 30]
    table = np.array([then, now])
    expected = stats.chi2_contingency(table, correction=False).pvalue
    assert compare_categories(then, now) == pytest.approx((0.3, expected))
    assert compare_psi(then, now).distance > 0.3


def test_values_of_which_five_are_expected_stand_alone_and_two_that_are_rarer_are_one() -> None:
    # Of equally many rows then and now, half of each value's are expected.
    assert compare_categories([80, 7, 3], [80, 3, 7]).chance == pytest.approx(
        stats.chi2_contingency([[80, 7, 3], [80, 3, 7]], correction=False).pvalue
    )
    assert compare_categories([80, 6, 3], [80, 3, 6]) == (0.0, 1.0)
    # A single one has no other to be put together with.
    alone = [[86, 2], [82, 6]]
    expected = stats.chi2_contingency(alone, correction=False).pvalue
    assert compare_categories(*alone).chance == pytest.approx(expected)


def test_volume_is_measured_by_the_usual_night() -> None:
    assert measure_volume(150, [90, 100, 1_000]) == 0.5
    assert measure_volume(7, []) == 0.0
    assert measure_volume(0, [0]) == 0.0


def test_of_many_comparisons_the_smallest_chances_count() -> None:
    assert find_beyond_chance([], 0.05) == []
    # Each against what the smaller ones leave: 0.05 / 3, 0.05 / 2, 0.05 / 1.
    assert find_beyond_chance([0.02, 0.016, 0.049], 0.05) == [True, True, True]
    assert find_beyond_chance([0.02, 0.017, 0.001], 0.05) == [True, True, True]
    assert find_beyond_chance([0.02, 0.03, 0.001], 0.05) == [True, True, True]
    # At most so often: a chance of just that is beyond it.
    assert find_beyond_chance([0.05], 0.05) == [True]
    assert find_beyond_chance([0.026, 0.03, 0.001], 0.05) == [False, False, True]


def test_nights_that_are_alike_raise_no_more_alarms_than_they_may() -> None:
    random = np.random.default_rng(7)
    shares = random.dirichlet(np.ones(8), size=20)
    nights = 0
    for _ in range(200):
        chances = [
            compare_psi(random.multinomial(5_000, share), random.multinomial(800, share)).chance
            for share in shares
        ]
        nights += any(find_beyond_chance(chances, 0.05))
    # 10 are expected at most; 22 or more come once in ten thousand times.
    assert nights < 22


def test_a_bin_with_one_row_is_there() -> None:
    then, now = _drop_empty([1, 0, 2, 0], [0, 0, 1, 1])
    assert (then.tolist(), now.tolist()) == ([1, 2, 0], [0, 1, 1])
