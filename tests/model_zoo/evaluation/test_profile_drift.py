"""Two profiles beside each other: what is compared, against the distances of the raw values, and what is not."""

from typing import Any

import numpy as np
import pytest

from model_zoo.evaluation.drift import Change, compare_categories, compare_psi
from model_zoo.evaluation.profile_counts import estimate_counts
from model_zoo.evaluation.profile_drift import Drift, compare_profiles

CUTS = [-1.0, 0.0, 1.0]


def make_record(column: str = "a", **fields: Any) -> dict[str, Any]:
    names = ("nan", "infinite", "numbers", "cut_points", "counts", "bins", "distinct", "is_whole")
    record = dict.fromkeys([*names, "with_value", "values", "long", "min", "max"])
    record |= {"column": column, "kind": "input", "measure": "value", "type": "float"}
    return record | {"rows": 0, "missing": 0} | fields


def of_numbers(values: np.ndarray, cuts: list[float] = CUTS, **fields: Any) -> dict[str, Any]:
    counts = np.histogram(values, [-np.inf, *cuts, np.inf])[0].tolist()
    ends = {"min": values.min(), "max": values.max()}
    numbers = {"rows": len(values), "numbers": len(values), **ends}
    return make_record(**{**numbers, "cut_points": cuts, "counts": counts, **fields})


def of_texts(counts: dict[str, int], **fields: Any) -> dict[str, Any]:
    values = [{"value": value, "count": count} for value, count in counts.items()]
    rows = sum(counts.values())
    known = {"rows": rows, "with_value": rows, "distinct": len(counts), "is_whole": True}
    return make_record(**{**known, "type": "string", "values": values, **fields})


def compare(then: dict[str, Any], now: dict[str, Any]) -> Drift:
    (drift,) = compare_profiles([then], [now])
    return drift


def psi_of(then: list[int], now: list[int]) -> Change:
    """The distance, with the chance of a chi-squared test, which is right for few rows, too."""
    return Change(compare_psi(then, now).distance, compare_categories(then, now).chance)


def draw(seed: int, rows: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, rows)


def test_numbers_are_compared_between_cut_points() -> None:
    then, now = of_numbers(draw(1, 900)), of_numbers(draw(2, 700, shift=0.7))
    drift = compare(then, now)
    assert drift.changes["psi"] == psi_of(then["counts"], now["counts"])
    assert set(drift.changes) == {"psi", "js", "ks", "missing"}
    assert drift.left_out is None
    told = drift.as_dict()
    assert told["psi"] == drift.changes["psi"].distance > 0.3
    assert (told["rows"], told["rows_reference"], told["chi2"]) == (700, 900, None)
    assert told["chance"] == min(told["chances"].values()) < 1e-9


def test_chance_asks_how_many_numbers_were_counted() -> None:
    then, now = of_numbers(draw(1, 900)), of_numbers(draw(2, 700))
    # As many tell as much, however many they stand for.
    larger = [count * 64 for count in now["counts"]]
    of_many = {"numbers": 44_800, "counts": larger, "counted": 700, "squared_weights": 700 * 64**2}
    assert compare(then, {**now, **of_many}).changes == compare(then, now).changes
    whole = compare(then, {**now, "numbers": 44_800, "counts": larger})
    assert whole.changes["ks"].chance != compare(then, now).changes["ks"].chance
    assert compare(then, {**now, **of_many}).chosen == 700
    assert (compare(then, now).chosen, whole.chosen) == (None, None)


def test_a_column_of_which_nothing_was_counted_is_noted() -> None:
    then, now = of_numbers(draw(1, 900)), of_numbers(draw(2, 3))
    nothing = {**now, "counts": [0] * 4, "counted": 0, "squared_weights": 0}
    for drift in (compare(then, nothing), compare(nothing, then)):
        assert set(drift.changes) == {"missing"}
        assert drift.left_out == "it has so few numbers that none is in a counted row"
        assert drift.chosen == 0
    empty = {**nothing, "rows": 3, "missing": 3, "numbers": 0}
    assert compare(then, empty).left_out == "it has no value in the run"
    assert compare(empty, then).left_out == "the reference has no value of it"


def test_bins_of_chosen_numbers_are_compared_as_so_many() -> None:
    bins = [{"value": float(value), "count": 50} for value in range(20)]
    then = make_record(rows=1_000, numbers=1_000, bins=bins)
    now = make_record(rows=1_000, numbers=1_000, bins=[*bins[:19], {"value": 19.0, "count": 90}])
    weighted = [{**entry, "count": 8 * entry["count"]} for entry in now["bins"]]
    of_many = {"bins": weighted, "counted": 1_040, "squared_weights": 1_040 * 64}
    assert compare(then, {**now, **of_many}).changes == compare(then, now).changes


def test_other_cut_points_are_compared_at_those_that_both_have() -> None:
    values, others = draw(1, 500), draw(2, 400)
    drift = compare(of_numbers(values, [-2.0, 0.0, 5.0]), of_numbers(others))
    below = [int((array < 0).sum()) for array in (values, others)]
    expected = psi_of([below[0], 500 - below[0]], [below[1], 400 - below[1]])
    assert drift.changes["psi"] == expected
    assert drift.left_out == "its numbers are compared at 1 of 3 cut points"
    apart = compare(of_numbers(values, [7.0]), of_numbers(others))
    assert apart.left_out == "its numbers are counted by other cut points"
    assert set(apart.changes) == {"missing"}


def test_bins_are_put_together_by_the_rows_of_the_reference() -> None:
    def of_bins(values: np.ndarray) -> dict[str, Any]:
        found, counts = np.unique(np.round(values, 1), return_counts=True)
        pairs = zip(found.tolist(), counts.tolist(), strict=True)
        bins = [{"value": value, "count": count} for value, count in pairs]
        return make_record(rows=len(values), numbers=len(values), bins=bins)

    same = compare(of_bins(draw(1, 4_000)), of_bins(draw(2, 4_000)))
    shifted = compare(of_bins(draw(1, 4_000)), of_bins(draw(2, 4_000, shift=0.8)))
    assert same.changes["psi"].distance < 0.02 < 0.3 < shifted.changes["psi"].distance
    assert same.changes["psi"].chance > 0.001
    beyond = compare(of_bins(draw(1, 4_000)), of_bins(np.full(4_000, 50.0)))
    assert beyond.changes["ks"].distance > 0.8


def test_bins_of_few_rows_are_joined() -> None:
    then, now = of_numbers(draw(1, 20), [-3.0, 0.0]), of_numbers(draw(2, 20), [-3.0, 0.0])
    below = [record["counts"][0] + record["counts"][1] for record in (then, now)]
    expected = psi_of([below[0], 20 - below[0]], [below[1], 20 - below[1]])
    assert compare(then, now).changes["psi"] == expected


def test_texts_are_compared_by_the_values_of_the_reference() -> None:
    then, now = of_texts({"x": 60, "y": 40}), of_texts({"x": 30, "y": 50, "z": 20})
    drift = compare(then, now)
    assert drift.changes["chi2"] == compare_categories([60, 40, 0], [30, 50, 20])
    assert drift.changes["new"].distance == 0.2
    assert "ks" not in drift.changes


@pytest.mark.parametrize(
    ("then", "now", "reason"),
    [
        ({str(n): 1 for n in range(90)}, {"x": 90}, "it has nearly as many values as rows"),
        ({"x": 90}, None, "it has more values than are kept"),
    ],
)
def test_what_is_no_category_is_not_compared_by_value(
    then: dict[str, int], now: dict[str, int] | None, reason: str
) -> None:
    later = of_texts({"x": 90}, is_whole=False) if now is None else of_texts(now)
    drift = compare(of_texts(then), later)
    assert drift.left_out == reason
    assert set(drift.changes) - {"new"} == {"missing"}


def test_new_values_are_told_of_more_than_are_kept() -> None:
    # Of 1,000 values, each in ten rows, a tenth is kept.
    kept = {str(number): 10 for number in range(100)}
    now = of_texts(kept, rows=10_000, with_value=10_000, distinct=1_000, is_whole=False)
    for known, share in (({"x": 90}, 1.0), ({"0": 90}, 0.99)):
        assert compare(of_texts(known), now).changes["new"].distance == share
    # About, and never more than there are.
    assert compare(of_texts({"x": 90}), {**now, "distinct": 2_000}).changes["new"].distance == 1.0


def test_long_texts_are_new_where_there_was_none() -> None:
    short, long = of_texts({"x": 90}), of_texts({"x": 60}, rows=90, with_value=90, long=30)
    assert compare(short, long).changes["new"].distance == pytest.approx(1 / 3)
    assert compare(long, long).changes["new"].distance == 0.0


@pytest.mark.parametrize(
    ("then", "now", "is_told"), [(3.0, 3.0, False), (3.0, 3.5, True), (3.5, 3.0, True)]
)
def test_numbers_of_one_bin_say_that_nothing_of_them_is_told(
    then: float, now: float, is_told: bool
) -> None:
    for of_bins in ({}, {"cut_points": None, "bins": [{"value": 3.0, "count": 50}]}):
        records = [{**of_numbers(np.full(50, value), [2.0]), **of_bins} for value in (then, now)]
        drift = compare(*records)
        assert drift.changes["psi"].distance == 0.0
        assert (drift.left_out is not None) is is_told


def test_a_bin_of_many_rows_of_the_reference_is_joined_with_no_other() -> None:
    def of_bins(**counts: int) -> dict[str, Any]:
        bins = [{"value": float(name[1:]), "count": count} for name, count in counts.items()]
        return make_record(rows=1_000, numbers=1_000, bins=bins, min=0.0, max=9.0)

    then = of_bins(v0=990, v9=10)
    assert compare(then, of_bins(v0=1, v5=999)).changes["ks"].distance > 0.9
    assert compare(of_bins(v5=1_000), of_bins(v0=1_000)).changes["psi"].distance > 1
    assert compare(of_bins(v5=1_000), of_bins(v9=1_000)).changes["psi"].distance > 1


def test_a_column_of_another_kind_is_not_compared() -> None:
    numbers, texts = of_numbers(draw(1, 100)), of_texts({"x": 100})
    drift = compare(numbers, texts)
    assert drift.left_out == "it is string in the run, and float in the reference"
    uncounted = make_record(rows=9, type="timestamp[us]")
    assert compare(uncounted, numbers).left_out == "the reference counts no value of it"
    assert compare(uncounted, uncounted).left_out is None


def test_what_is_no_number_is_missing_but_for_lists() -> None:
    then = of_numbers(draw(1, 100))
    now = of_numbers(draw(2, 50), rows=100, missing=20, nan=20, infinite=10)
    assert compare(then, now).missing == 0.5
    in_lists = of_numbers(draw(2, 50), rows=100, missing=20, nan=30, type="list<double>")
    assert compare(then, in_lists).missing == 0.2


def test_a_column_without_a_value_is_told_by_its_missing_ones() -> None:
    now = make_record(rows=80, missing=80, numbers=0, cut_points=CUTS, counts=[0, 0, 0, 0])
    drift = compare(of_numbers(draw(1, 100)), now)
    assert set(drift.changes) == {"missing"}
    assert drift.changes["missing"].distance == 1.0


def test_no_rows_are_far_from_nothing() -> None:
    none = make_record(numbers=0, cut_points=CUTS, counts=[0, 0, 0, 0])
    drift = compare(of_numbers(draw(1, 100)), none)
    assert (drift.missing, drift.changes["missing"]) == (None, (0.0, 1.0))


def test_what_the_reference_does_not_have_is_named() -> None:
    lengths = make_record("b", measure="length")
    (drift,) = compare_profiles([of_numbers(draw(1, 9))], [make_record("b", rows=4), lengths])
    assert (drift.column, drift.left_out) == ("b", "the reference does not have it")
    assert drift.as_dict()["chance"] is None


def test_counts_are_estimated_where_quantiles_tell_them() -> None:
    values = draw(3, 10_001)
    levels = [0.01, 0.25, 0.5, 0.99]
    points, counts = estimate_counts(levels, np.quantile(values, levels).tolist(), len(values))
    exact = np.histogram(values, [-np.inf, *points, np.inf])[0]
    assert sum(counts) == len(values)
    assert np.abs(counts - exact).max() <= 1
