"""Which rows of a sample its contract takes, and what a job may say of columns."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.package.card import InputColumn
from model_zoo.steps.table import AnyStep
from pipelines.packing.contract.contract import choose_columns, take_complete_rows

SAMPLE = pa.table(
    {
        "id": [0, 1, 2, 3],
        "a": pa.array([1.0, None, 3.0, float("nan")]),
        "b": pa.array([1.0, 2.0, None, 4.0]),
        "when": pa.array([0, 1, 2, 3], pa.date32()),
        "tags": [["x"], ["y"], [], ["x", "y"]],
    }
)


def rule(name: str, missing: str) -> InputColumn:
    fields = {"name": name, "type": "double", "missing": missing}
    return InputColumn.model_validate({**fields, "fill": 0.0} if missing == "fill" else fields)


@pytest.mark.parametrize(
    ("a", "b", "too_long", "kept"),
    [
        ("reject", "reject", None, [0]),
        ("reject", "fill", None, [0, 2]),
        ("fill", "reject", None, [0, 1, 3]),
        ("fill", "fill", None, [0, 1, 2, 3]),
        ("fill", "fill", [True, False, False, True], [1, 2]),
        ("fill", "reject", [True, False, False, False], [1, 3]),
    ],
)
def test_rows_that_scoring_would_reject_are_left_out(
    a: str, b: str, too_long: list[bool] | None, kept: list[int]
) -> None:
    is_too_long = None if too_long is None else np.array(too_long)
    taken = take_complete_rows(SAMPLE, (rule("a", a), rule("b", b)), is_too_long)
    assert taken.column("id").to_pylist() == kept


def test_missing_values_that_must_not_be_are_told_of_all_columns() -> None:
    with pytest.raises(JobError, match=r"'a' has 2 missing .*'b' has 1 missing"):
        take_complete_rows(SAMPLE, (rule("a", "error"), rule("b", "error")))
    whole = SAMPLE.slice(0, 1)
    assert take_complete_rows(whole, (rule("a", "error"),)).num_rows == 1


def test_a_sample_of_which_no_row_is_left_is_refused() -> None:
    with pytest.raises(JobError, match=r"every row .* for example fill\.a"):
        take_complete_rows(SAMPLE.slice(1, 1), (rule("a", "reject"),))


def choose(**fields: Any) -> list[str]:
    job = PackagingJob[AnyStep].model_validate(
        {"network": "m:Net", "weights": "w", "sample": "s", "output": "o", **fields}
    )
    return choose_columns(job, SAMPLE)


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ({"columns": ["b", "a"]}, ["b", "a"]),
        ({"key": "id", "label": "b"}, ["a", "when", "tags"]),
        ({"columns": ["a"], "fill": {"a": 1.0}}, ["a"]),
        ({"columns": ["when"], "numbers": {"when": "days"}}, ["when"]),
    ],
)
def test_the_model_sees_what_is_named_or_all_but_key_and_label(
    fields: dict[str, Any], chosen: list[str]
) -> None:
    assert choose(**fields) == chosen


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"key": "x"}, "key: the sample has no column 'x'"),
        ({"key": "x", "label": "y"}, "key: the sample.*; label: the sample"),
        ({"columns": ["x"], "fill": {"y": 1}}, "columns x: the sample.*; fill y: the sample"),
        ({"columns": ["a"], "fill": {"b": 1.0}}, "fill.b: the model does not see 'b'"),
        ({"columns": ["a"], "numbers": {"a": "days"}}, "numbers.a: the column is double"),
        ({"columns": ["a"], "lengths": {"a": 3}}, "lengths, cut: column 'a' is double"),
        ({"network": "torch_geometric:GCN"}, "takes graphs: say graph.nodes"),
    ],
)
def test_what_is_said_of_other_columns_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(JobError, match=told):
        choose(**fields)
