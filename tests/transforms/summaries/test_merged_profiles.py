"""Profiles of several runs as one: that of all their rows."""

import numpy as np
import pyarrow as pa
from pyarrow import Table

from transforms.summaries.known import Known
from transforms.summaries.merged_profiles import merge_profiles
from transforms.summaries.numbers import CutPoints
from transforms.summaries.profile import make_profile
from transforms.summaries.reference import Reference

DRAW = np.random.default_rng(6).normal(size=600)


def profile_of(values: np.ndarray, points: tuple[float, ...] = (-1.0, 0.5)) -> Table:
    known = Known(CutPoints(-2.0, 2.0, points))
    summary = make_profile(["a", "t"], Reference({("input", "a", "value"): known}))
    texts = pa.array(["x" if value > 0 else "y" for value in values])
    return summary.write(summary.of("input", {"a": pa.array(values), "t": texts}))


def test_the_rows_of_all_runs_are_counted() -> None:
    merged, left_out = merge_profiles([profile_of(DRAW[:200]), profile_of(DRAW[200:])])
    whole = profile_of(DRAW)
    assert left_out == 0
    for name in ("rows", "counts", "values", "cut_points", "min", "max", "below", "above"):
        assert merged[name].to_pylist() == whole[name].to_pylist(), name


def test_those_with_other_cut_points_are_left_out() -> None:
    tables = [profile_of(DRAW[:200]), profile_of(DRAW, (3.0,)), profile_of(DRAW[200:300])]
    merged, left_out = merge_profiles(tables)
    assert left_out == 1
    assert merged["rows"].to_pylist()[0] == 300


def test_one_is_as_it_is_and_none_is_empty() -> None:
    one = profile_of(DRAW)
    assert merge_profiles([one])[0] is one
    empty, left_out = merge_profiles([])
    assert (empty.num_rows, left_out) == (0, 0)
