"""Which rules make sense of a column, by its type."""

from typing import Any

import pyarrow as pa
import pytest

from configs.errors import JobError
from pipelines.planning.plan_checks import _try_out
from transforms.checks.column_check import ColumnCheck


def try_out(rule: str, wanted: Any, dtype: pa.DataType) -> None:
    _try_out(ColumnCheck("a", rule, wanted, "warn"), pa.array([], dtype))


@pytest.mark.parametrize(
    ("rule", "wanted", "dtype"),
    [
        ("allowed", ["x", "y"], pa.string()),
        ("allowed", [1, 2], pa.int64()),
        ("allowed", [True], pa.bool_()),
        ("matches", "[a-z]+", pa.string()),
        ("min", 0, pa.int64()),
        ("max", 1.5, pa.float64()),
    ],
)
def test_a_rule_that_makes_sense(rule: str, wanted: Any, dtype: pa.DataType) -> None:
    try_out(rule, wanted, dtype)


@pytest.mark.parametrize(
    ("rule", "wanted", "dtype", "told"),
    [
        # `yes` and `1` without quotes, which Arrow would make texts of that nobody meant.
        ("allowed", ["x", True], pa.string(), "checks.a.allowed: True is no text, .* in quotes"),
        ("allowed", [1], pa.large_string(), "checks.a.allowed: 1 is no text"),
        # `1e30` without a point and a sign.
        ("max", "1e30", pa.float64(), "checks.a.max: '1e30' is a text, .* as 1000 or 1.0e.30"),
        ("min", "5", pa.int8(), "checks.a.min: '5' is a text, and the column is int8"),
        ("matches", "[a-z", pa.string(), "checks.a.matches: makes no sense of a column of type"),
        ("matches", "a", pa.int64(), "checks.a.matches: makes no sense of a column of type int64"),
    ],
)
def test_a_rule_that_makes_none_is_refused(
    rule: str, wanted: Any, dtype: pa.DataType, told: str
) -> None:
    with pytest.raises(JobError, match=told):
        try_out(rule, wanted, dtype)
