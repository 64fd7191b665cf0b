"""What steps make of a row in number, which of them are watched, and what a user's function may give."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError
from model_zoo.steps import function, table
from model_zoo.steps.cast import Cast
from model_zoo.steps.date_parts import DateParts
from model_zoo.steps.encode import OneHot, Ordinal
from model_zoo.steps.fill import Fill
from model_zoo.steps.function import Function
from model_zoo.steps.image import Image
from model_zoo.steps.pca import Pca
from model_zoo.steps.scale import Scale, Standardise
from model_zoo.steps.select import Select
from model_zoo.steps.stack import Stack
from model_zoo.steps.table import apply_steps, find_widest
from tests.support import text_models

ONE_HOT = OneHot(
    step="one_hot", columns=("a", "b"), unknown="zeros", categories=(("x", "y", "z"), (1, 2))
)
ORDINAL = Ordinal(step="ordinal", columns=("a",), unknown="code", categories=(("x", "y"),))
GREY = Image(step="image", column="a", into="grey", height=3, width=5, mode="L")
COLOURED = Image(step="image", column="a", into="coloured", height=3, width=5)
TEXT = text_models.step().model_copy(update={"column": "a", "max_tokens": 7})
OWN = Function(step="function", function="my_module:f")
DATES = DateParts(step="date_parts", columns=("a",), parts=("year", "month"), cyclic=True)
SELECT = Select(step="select", columns=("a", "b"), into="s", method="variance", kept=((0, 2), ()))
PCA = Pca(step="pca", columns=("a", "b"), into="p", mean=(0.0,) * 5, axes=((1.0,) * 5,) * 3)


def stack(*names: str) -> Stack:
    return Stack(step="stack", columns=names, into="s")


@pytest.mark.parametrize(
    ("steps", "widest"),
    [
        ([], 2),
        ([ORDINAL], 2),
        ([OWN], 2),
        # In place of their columns.
        ([ONE_HOT], 3 + 2),
        # Beside their columns: a year, and sine and cosine of a month.
        ([DATES], 2 + 1 + 2),
        ([ONE_HOT, SELECT], 5 + 2),
        ([ONE_HOT, PCA], 5 + 3),
        # Beside their column.
        ([GREY], 2 + 3 * 5),
        ([COLOURED], 2 + 3 * 3 * 5),
        ([TEXT], 2 + 7 + 7),
        ([stack("a", "b")], 2 + 2),
        ([ONE_HOT, stack("a", "b")], 5 + 5),
        # A column of a user's function counts as one number when it is stacked.
        ([OWN, stack("a", "own", "other")], 2 + 3),
        # What is made again under a name takes the place of what was there.
        ([GREY, COLOURED, stack("a")], 2 + 15 + 45 + 1),
        ([stack("a", "b"), stack("a")], 2 + 2),
    ],
)
def test_the_most_numbers_of_a_row_at_a_time_are_told_before_they_are_made(
    steps: list[Any], widest: int
) -> None:
    assert find_widest(steps, ["a", "b"]) == widest


@pytest.mark.parametrize(
    ("timeout_seconds", "watched"),
    [(None, []), (5.0, [(5.0, "preprocess step tokenize")])],
)
def test_decoding_is_watched_and_arithmetic_is_not(
    timeout_seconds: float | None,
    watched: list[tuple[float, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[float, str]] = []

    def watch(work: Callable[[], Any], seconds: float, what: str) -> Any:
        seen.append((seconds, what))
        return work()

    monkeypatch.setattr(table, "run_watched", watch)
    steps = [Cast(step="cast", columns=("n",), dtype="int8"), TEXT]
    columns = {"a": pa.array(["word1", "word2"]), "n": pa.array([1.0, 2.0])}
    made = apply_steps(steps, columns, 2, timeout_seconds=timeout_seconds)
    assert set(made) == {"a", "n", "input_ids", "attention_mask"}
    assert seen == watched


@pytest.mark.parametrize(
    "returned", [None, [np.ones(2)], {"x": [1.0, 2.0]}, {"x": np.ones(2), "y": 1}, np.ones(2)]
)
def test_a_function_gives_arrays_by_name_or_is_refused(returned: Any) -> None:
    rows = pa.RecordBatch.from_pydict({"a": [1, 2]})
    given = {"x": np.ones(2), "y": np.ones((2, 3))}
    assert function._call_arrow("m:f", lambda _: given, rows) is given
    with pytest.raises(JobError, match=r"m:f must return dict\[str, np\.ndarray\]"):
        function._call_arrow("m:f", lambda _: returned, rows)


def test_what_is_no_flat_column_is_not_given_to_a_function() -> None:
    columns = {
        "a": pa.array([1, 2]),
        "b": np.ones(2),
        "wide": np.ones((2, 3)),
        "one": np.ones((2, 1)),
    }
    assert function._make_table(columns).schema.names == ["a", "b"]


def test_steps_run_in_order_and_keep_the_other_columns() -> None:
    steps = (
        Fill(step="fill", columns=("a",), values=(4.0,)),
        Scale(step="scale", columns=("a",), factor=(10.0,), offset=(1.0,)),
        Stack(step="stack", columns=("a", "b"), into="x"),
    )
    result = apply_steps(
        steps, {"a": pa.array([None, 2.0]), "b": pa.array([1.0, 2.0]), "k": pa.array(["x", "y"])}, 2
    )
    assert set(result) == {"a", "b", "k", "x"}
    np.testing.assert_array_equal(result["x"], [[41, 1], [21, 2]])


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(
        JobError, match=r"standardise names column 'z', but the columns are \['a', 'b'\]"
    ):
        Standardise(step="standardise", columns=("z",), mean=(0.0,), scale=(1.0,)).apply(
            {"a": pa.array([1]), "b": pa.array([1])},
            1,
        )
