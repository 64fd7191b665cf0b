"""The columns of a report: which comes first, what is shown of them, and no value of a row."""

from typing import Any

import pytest

from pipelines.reporting.books import read_compared
from pipelines.reporting.columns import Measured, list_columns, list_labels
from pipelines.reporting.distributions import pair_distributions
from tests.pipelines.reporting.told import (
    CUTS,
    LEVELS,
    by_place,
    make_finding,
    make_manifest,
    make_monitor,
    make_row,
    make_values_row,
)


def measure(*rows: Any, reference: Any = (), findings: Any = (), **fields: Any) -> Measured:
    manifest = make_manifest(monitor=make_monitor("warned", *findings))
    known = {
        "profile": by_place(*rows),
        "reference": by_place(*reference),
        "distances": {},
        "findings": read_compared(manifest).findings,
        "shows_values": False,
        "labels": ("stays", "leaves"),
    }
    return Measured(**{**known, **fields})


def test_the_worst_column_comes_first() -> None:
    names = ["calm", "held", "far", "noted", "warned", "near"]
    findings = [
        make_finding("note", "noted", "not compared"),
        make_finding("warn", "warned", "drifted"),
        make_finding("warn", "held", "lacks values", measure="missing"),
        make_finding("hold", "held", "drifted far"),
        # Of a score of the same name.
        make_finding("hold", "calm", "a score", kind="score"),
    ]
    distances = {
        ("input", "far", "value"): {"psi": 0.5},
        ("input", "near", "value"): {"psi": 0.1},
        ("input", "noted", "value"): {"psi": 9.0},
    }
    rows = [make_row(name) for name in names]
    columns, scores = list_columns(measure(*rows, findings=findings, distances=distances))
    assert [column.column for column in columns] == [
        "held",
        "warned",
        "noted",
        "far",
        "near",
        "calm",
    ]
    assert columns[0].says == ("drifted far", "lacks values")
    assert [column.level for column in columns[:4]] == ["hold", "warn", "note", "none"]
    assert scores == ()


def test_scores_are_told_by_themselves() -> None:
    columns, scores = list_columns(measure(make_row("age"), make_row("risk", "score")))
    assert [column.column for column in columns] == ["age"]
    assert [column.column for column in scores] == ["risk"]


def test_shares_are_of_rows_and_of_numbers() -> None:
    row = make_row(rows=200, missing=40, nan=10, numbers=100, below=3, above=2)
    then = make_row(rows=100, missing=0, nan=1, mean=0.25)
    ((column,), _) = list_columns(measure(row, reference=[then]))
    assert (column.missing, column.missing_then, column.outside) == (0.25, 0.01, 0.05)
    assert (column.mean, column.mean_then, column.deviation) == (0.5, 0.25, 1.0)


@pytest.mark.parametrize(("numbers", "mean"), [(9, None), (10, 0.5)])
def test_the_mean_of_few_numbers_is_not_told(numbers: int, mean: float | None) -> None:
    ((column,), _) = list_columns(measure(make_row(numbers=numbers)))
    assert column.mean == mean
    assert (column.deviation is None) is (mean is None)


@pytest.mark.parametrize(
    ("counted", "told", "mean"), [(None, 100, 0.5), (9, 9, None), (0, 0, None)]
)
def test_of_large_units_it_is_told_how_many_numbers_are_counted(
    counted: int | None, told: int, mean: float | None
) -> None:
    ((column,), _) = list_columns(measure(make_row(numbers=100, counted=counted)))
    assert (column.numbers, column.counted, column.mean) == (100, told, mean)


def test_no_rows_are_no_share() -> None:
    empty = make_row(rows=0, numbers=0, mean=None, counts=[0] * 8)
    ((column,), _) = list_columns(measure(empty))
    assert (column.missing, column.outside, column.mean) == (0.0, None, None)
    assert column.distribution is not None
    assert column.distribution.now == ()


def test_bins_are_named_by_trainings_quantiles() -> None:
    now = make_row(counts=[0, 0, 50, 50, 0, 0, 0, 0])
    found = pair_distributions(now, make_row(), shows_values=False)
    assert found is not None
    assert found.names[:3] == ("below 1 %", "1 % to 5 %", "5 % to 25 %")
    assert found.names[-1] == "above 99 %"
    assert found.then == tuple(level / 100 for level in LEVELS)
    assert found.now == (0, 0, 0.5, 0.5, 0, 0, 0, 0)


def test_counts_by_other_cut_points_are_not_put_beside_these() -> None:
    other = make_row(cut_points=[*CUTS[:-1], 3.0])
    found = pair_distributions(make_row(), other, shows_values=True)
    assert found is not None
    assert found.then == ()


def test_few_cut_points_are_numbered() -> None:
    row = make_row(cut_points=[0.0, 1.0], counts=[1, 2, 1])
    found = pair_distributions(row, row, shows_values=False)
    assert found is not None
    assert found.names == ("bin 1 of 3", "bin 2 of 3", "bin 3 of 3")


def test_many_bins_are_put_together_over_the_range_of_both() -> None:
    bins = [{"value": float(at), "count": 1} for at in range(30)]
    now = make_row(cut_points=None, counts=[], bins=bins)
    then = make_row(cut_points=None, counts=[], bins=[{"value": -5.0, "count": 4}])
    found = pair_distributions(now, then, shows_values=False)
    assert found is not None
    # 31 bins of both, three at a time.
    assert len(found.now) == 11
    assert found.then == (1.0, *[0.0] * 10)
    assert found.now[0] == pytest.approx(2 / 30)
    assert sum(found.now) == pytest.approx(1)


@pytest.mark.parametrize("shows_values", [True, False])
def test_values_are_named_where_the_job_says_so(shows_values: bool) -> None:
    now = make_values_row("city", {"Bern": 6, "Rome": 3, "leaves": 1})
    then = make_values_row("city", {"Rome": 1, "Bern": 1})
    found = pair_distributions(now, then, shows_values, known=("leaves",))
    assert found is not None
    expected = ("Rome", "Bern", "leaves") if shows_values else ("value 1", "value 2", "leaves")
    assert found.names == expected
    assert found.now == (0.3, 0.6, 0.1)
    assert found.then == (0.5, 0.5, 0)


def test_rare_and_long_values_are_one() -> None:
    counts = {f"v{number}": 2 for number in range(20)}
    now = make_values_row("city", counts, with_value=45)
    found = pair_distributions(now, None, shows_values=True)
    assert found is not None
    assert found.names[-1] == "others"
    assert found.now[-1] == pytest.approx((45 - 12 * 2) / 45)
    assert found.then == ()


def test_a_column_of_which_nothing_was_counted_has_no_picture() -> None:
    row = make_row(cut_points=None, counts=None, bins=None, numbers=None)
    assert pair_distributions(row, None, shows_values=True) is None


def test_labels_are_those_of_the_model() -> None:
    now = make_values_row("label", {"stays": 75, "secret": 5, "leaves": 20}, kind="score")
    then = make_values_row("label", {"stays": 1, "leaves": 1}, kind="score")
    city = make_values_row("city", {"stays": 1})
    stays, leaves = list_labels(measure(city, now, reference=[then]))
    assert (stays.name, stays.rows, stays.share, stays.share_then) == ("stays", 75, 0.75, 0.5)
    assert (leaves.name, leaves.share) == ("leaves", 0.2)
    allowed = list_labels(measure(now, shows_values=True))
    assert [label.name for label in allowed] == ["stays", "secret", "leaves"]
    assert {label.share_then for label in allowed} == {None}


def test_a_label_that_there_was_not_had_no_share() -> None:
    now = make_values_row("label", {"stays": 6, "leaves": 4}, kind="score")
    then = make_values_row("label", {"stays": 5}, kind="score")
    labels = list_labels(measure(now, reference=[then]))
    assert [label.share_then for label in labels] == [1.0, 0.0]
