"""The task that the types of the labels show, and what is asked where they show none."""

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from pipelines.training.label_tasks import find_task

ROWS = 40
TAGS = [["b", "a"], ["c"], [], ["a", "a"]] * 10


def column(values: Any, dtype: pa.DataType | None = None) -> dict[str, pa.Array]:
    return {"y": pa.array(values, dtype)}


@pytest.mark.parametrize(
    ("columns", "task"),
    [
        (column([True, False] * 20), "classification"),
        (column([0, 1] * 20), "classification"),
        (column(list(range(20)) * 2), "classification"),
        (column(["no", "yes"] * 20), "classification"),
        (column(["no", "yes"] * 20, pa.dictionary(pa.int8(), pa.string())), "classification"),
        (column([0.5, 1.5] * 20), "regression"),
        (column([float(n) for n in range(ROWS)]), "regression"),
        (column(["1.5", "2.5"] * 20), "classification"),
        (column(TAGS), "multi_label"),
        (column([[0.5, 1.5]] * ROWS), "regression"),
        ({"y": pa.array([0, 1] * 20), "z": pa.array([True, False] * 20)}, "multi_label"),
        ({"y": pa.array([0, 1] * 20), "z": pa.array([0.5, 7.0] * 20)}, "regression"),
    ],
)
def test_the_type_of_the_label_tells_the_task(columns: dict[str, pa.Array], task: str) -> None:
    assert find_task(columns) == (task, "")


@pytest.mark.parametrize(
    ("columns", "question"),
    [
        (column(list(range(21)) * 2), "int64 and has 21 different values: say task"),
        (column([0.0, 1.0] * 20), "double and has 2 different whole numbers: say task"),
        (column([f"v{n}" for n in range(ROWS)]), "40 different texts in 40 rows"),
        (column([pd.Timestamp("2020-01-01")] * ROWS), "and no text, truth value, number or list"),
        (column([{"a": 1}] * ROWS), "'y' is struct<a: int64>, and no text"),
        ({"y": pa.array(["a"] * ROWS), "z": pa.array([1] * ROWS)}, "'y' is string"),
        ({"y": pa.array([True] * ROWS), "z": pa.array([0.5] * ROWS)}, "labels of one kind"),
    ],
)
def test_what_no_type_tells_is_asked(columns: dict[str, pa.Array], question: str) -> None:
    task, asked = find_task(columns)
    assert task is None
    assert question in asked
