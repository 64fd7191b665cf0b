"""The author's own scores beside the package's: rows by their keys, numbers by their size, all else as text."""

from decimal import Decimal
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import InputError, ModelError
from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.packing.proof.expected import _compare, _join, check_expected
from pipelines.packing.proof.scored_as import ScoredAs
from transforms.scores.options import ScoreColumns

HALF = pa.array([0.5, 1.0])


@pytest.mark.parametrize(
    ("ours", "theirs", "difference"),
    [
        (HALF, HALF, 0.0),
        (HALF, pa.array([0.5, 1.25]), 0.2),
        (HALF, pa.array([0.5, 1.25], pa.float32()), 0.2),
        (HALF, pa.array([Decimal("0.50"), Decimal("1.25")]), 0.2),
        # Lists, and lists of lists, are compared number by number.
        (pa.array([[0.5, 1.0]]), pa.array([[0.5, 1.25]]), 0.2),
        (pa.array([[[0.5], [1.0]]]), pa.array([[[0.5], [1.25]]]), 0.2),
        (pa.array([[[0.5], [1.0]]]), pa.array([[0.5, 1.25]]), 0.2),
        (pa.array([[0.5, 1.0]]), pa.array([[0.5]]), math.inf),
        # What is a number here must be one there.
        (HALF, pa.array(["0.5", "1.0"]), math.inf),
        (HALF, pa.array([1, 1]), math.inf),
        # Classes and labels are no amounts: one that differs is another one.
        (pa.array([1, 2]), pa.array([1, 2], pa.int8()), 0.0),
        (pa.array([1, 2]), pa.array(["1", "2"]), 0.0),
        (pa.array([1, 2]), pa.array([1, 3]), math.inf),
        (pa.array(["a", "b"]), pa.array(["a", "b"]), 0.0),
        (pa.array(["a", "b"]), pa.array(["a", "c"]), math.inf),
        (pa.array([["a"], []]), pa.array([["a"], []]), 0.0),
        (pa.array([["a"], []]), pa.array([[], ["a"]]), math.inf),
        (pa.array([{"s": 0.5}]), pa.array([{"s": 0.5}]), 0.0),
        (pa.array([{"s": 0.5}]), pa.array([{"s": 0.6}]), math.inf),
        # A score that is missing is NaN.
        (pa.array([0.5, None]), pa.array([0.5, None]), 0.0),
    ],
)
def test_amounts_differ_by_some_and_all_else_is_the_same_or_not(
    ours: Any, theirs: Any, difference: float
) -> None:
    assert _compare(ours, theirs) == pytest.approx(difference)


@pytest.mark.parametrize(
    ("ours", "theirs", "places"),
    [
        ([1, 2, 3], [3, 1], ([0, 2], [1, 0])),
        (["1", "2"], [2, 1], ([0, 1], [1, 0])),
        ([1, 2], ["1", "2"], ([], [])),
        (["a"], ["b"], ([], [])),
        (["1.5"], [1.5], ([], [])),
        ([], [1], ([], [])),
    ],
)
def test_rows_are_those_of_the_same_key(ours: Any, theirs: Any, places: Any) -> None:
    left = pa.chunked_array([pa.array(ours, pa.string() if not ours else None)])
    found = _join(left, pa.chunked_array([pa.array(theirs)]))
    assert tuple(each.to_pylist() for each in found) == places


def check(expected: dict[str, Any], key: str = "id") -> list[str]:
    job = PackagingJob[AnyStep].model_construct(expected="e.csv", key=key)
    rows = pa.table({"id": [1, 2, 3]})
    outputs = {"score": np.array([0.5, 1.0, 2.0], np.float32)}
    return check_expected(job, pa.table(expected), rows, outputs, ScoredAs(ScoreColumns("none")))


def test_what_was_compared_is_told() -> None:
    assert check({"id": [3, 1], "score": [2.0, 0.5]}) == ["score of 2 rows within 0 of yours"]
    # A ten-thousandth of the largest number, and no more.
    assert check({"id": [3], "score": [2.00019]})
    with pytest.raises(ModelError, match=r"score of 1 rows differs by up to 0\.000105"):
        check({"id": [3], "score": [2.00021]})
    with pytest.raises(ModelError, match="differs by up to inf"):
        check({"id": [3], "score": [math.nan]})


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ({"id": [7], "score": [1.0]}, "has no key of the sample"),
        ({"other": [1], "score": [1.0]}, "must have the key 'id' and at least one of"),
        ({"id": [1], "scores": [1.0]}, "must have the key 'id' and at least one of"),
    ],
)
def test_scores_of_nothing_that_was_made_are_refused(expected: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        check(expected)
