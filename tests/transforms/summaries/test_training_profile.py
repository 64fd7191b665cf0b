"""Training's profile as one of a run: by its counts, or by its quantiles where an older version kept no counts."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from model_zoo.evaluation.data_profile import profile_table
from tests.support.builders import parquet
from transforms.summaries.training_profile import read_training_table

DRAW = np.random.default_rng(5).normal(size=4_000)


def convert(column: pa.Array, is_old: bool = False, **scores: pa.Array) -> dict[str, Any]:
    table = profile_table({"c": column}, scores)
    if is_old:
        table = table.drop_columns(["counts"])
    return read_training_table(parquet(table), {"p": "risk"}).to_pylist()[0]


def test_counts_are_those_of_the_numbers() -> None:
    few = np.round(DRAW)
    record = convert(pa.array([*few, None, np.nan, np.inf]))
    ends = [-np.inf, *record["cut_points"], np.inf]
    assert record["counts"] == np.histogram(few, ends)[0].tolist()
    assert (record["rows"], record["missing"], record["numbers"]) == (4_003, 2, 4_000)
    assert record["infinite"] == 1


def test_older_packages_tell_counts_by_quantiles() -> None:
    record = convert(pa.array(DRAW), is_old=True)
    exact = np.histogram(DRAW, [-np.inf, *record["cut_points"], np.inf])[0]
    assert np.abs(np.array(record["counts"]) - exact).max() <= 1


def test_few_numbers_of_older_packages_have_no_counts() -> None:
    assert convert(pa.array(np.round(DRAW)), is_old=True)["cut_points"] is None


def test_texts_are_whole_while_all_are_told() -> None:
    record = convert(pa.array(["x", "y", "x", None]))
    assert (record["with_value"], record["distinct"], record["is_whole"]) == (3, 2, True)
    assert record["values"][0] == {"value": "x", "count": 2}
    assert not convert(pa.array([str(number) for number in range(60)]))["is_whole"]


def test_scores_have_the_names_of_the_job() -> None:
    table = profile_table({}, {"p": pa.array(DRAW)})
    (record,) = read_training_table(parquet(table), {"p": "risk"}).to_pylist()
    assert (record["kind"], record["column"]) == ("score", "risk")


def test_what_is_no_profile_is_refused() -> None:
    for content in (b"none", parquet(pa.table({"kind": ["feature"]}))):
        with pytest.raises(ValueError, match="is no profile of training"):
            read_training_table(content, {})
