"""What a training job leaves out and only a person can say: asked for at once, with what the rows tell of it."""

from typing import Any

import pyarrow as pa
import pytest

from configs.errors import InputError, JobError
from pipelines.training.asked import ask
from pipelines.training.fitting_job import FittingJob
from pipelines.training.source import Source

ROWS = 40
COLUMNS: dict[str, Any] = {
    "number": pa.array(range(ROWS)),
    "small": pa.array(range(ROWS), pa.uint8()),
    "name": pa.array([f"n{row}" for row in range(ROWS)]),
    "long_name": pa.array([f"n{row}" for row in range(ROWS)], pa.large_string()),
    "fraction": pa.array([row / 7 for row in range(ROWS)]),
    "twice": pa.array([0, 0, *range(2, ROWS)]),
    "gap": pa.array([None, *range(1, ROWS)]),
    "yes": pa.array([True, False] * (ROWS // 2)),
}


def asked(table: pa.Table, **data: Any) -> str:
    job = FittingJob.model_validate(
        {"data": {"paths": "a.parquet", **data}, "output": "m/1"},
    )
    with pytest.raises(JobError) as refused:
        ask(job, Source(table, "rows"))
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "is_key"),
    [
        ("number", True),
        ("small", True),
        ("name", True),
        ("long_name", True),
        ("fraction", False),
        ("twice", False),
        ("gap", False),
        ("yes", False),
    ],
)
def test_what_may_be_the_key_is_a_different_number_or_text_in_each_row(
    name: str, is_key: bool
) -> None:
    question = asked(pa.table({name: COLUMNS[name], "y": COLUMNS["yes"]}), label="y")
    none = "none of whole numbers or texts has a different value in each row"
    told = f"{name} has a different value in each row" if is_key else none
    assert question == f"data.key is needed (--key): the column that names a row; {told}"


def test_all_that_is_missing_or_unknown_is_asked_for_at_once() -> None:
    question = asked(pa.table(COLUMNS), features=["nmae"], group="gorup")
    assert "data.label is needed (--label): the column that is learned, one of number, " in question
    assert "data.key is needed (--key)" in question
    assert "; number, small, name, long_name has a different value in each row" in question
    assert "data.features: rows has no column 'nmae'; did you mean name?" in question
    assert "data.group: rows has no column 'gorup'" in question


def test_the_task_is_asked_for_where_labels_do_not_tell_it() -> None:
    assert "say task" in asked(pa.table(COLUMNS), key="name", label="number")


def test_a_label_that_no_row_has_is_refused() -> None:
    table = pa.table({"id": COLUMNS["number"], "y": pa.nulls(ROWS, pa.string())})
    job = FittingJob.model_validate(
        {"data": {"paths": "a.parquet", "key": "id", "label": "y"}, "output": "m/1"}
    )
    with pytest.raises(InputError, match="no row has a value in 'y'; there is nothing to learn"):
        ask(job, Source(table, "rows"))


def test_twenty_columns_are_told_and_no_more() -> None:
    table = pa.table({f"c{place:02d}": COLUMNS["number"] for place in range(21)})
    question = asked(table)
    assert question.count("c19") == 2
    assert "c20" not in question
