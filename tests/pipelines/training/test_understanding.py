"""What a job leaves to the data."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError
from pipelines.training.fitting_job import FittingJob
from pipelines.training.source import Source
from pipelines.training.understanding import _settle_split, understand


def rows_of(count: int) -> pa.Table:
    ages = np.arange(count) % 97
    return pa.table({"id": range(count), "age": ages, "y": ages > 50})


def job(**changes: Any) -> FittingJob:
    data = {"paths": "a.parquet", "key": "id", "label": "y"}
    return FittingJob.model_validate({"data": data, "output": "m/1", **changes})


@pytest.mark.parametrize(
    ("rows", "training", "batch_rows"),
    [
        (1_000, {}, 32),
        (40_000, {}, 128),
        (40_000, {"batch_rows": 32}, 32),
        (200_000, {"epochs": 3}, 512),
    ],
)
def test_mini_batches_suit_the_table_unless_the_job_says_their_size(
    rows: int, training: dict[str, int], batch_rows: int
) -> None:
    understood = understand(job(training=training), Source(rows_of(rows), "rows"))
    assert understood.job.training.batch_rows == batch_rows


def test_rows_without_a_label_are_left_out_and_told() -> None:
    table = rows_of(100)
    labels = pa.array([None, *table["y"].to_pylist()[1:]], pa.bool_())
    understood = understand(job(), Source(table.set_column(2, "y", labels), "rows"))
    assert understood.unlabelled == 1
    assert understood.rows.num_rows == 99
    assert "1 rows without a label are left out" in understood.notes
    assert understood.job.data.labels == ("false", "true")


def test_group_and_time_split_by_themselves_and_are_no_features() -> None:
    table = rows_of(100).append_column("when", pa.array(range(100)))
    data = {"paths": "a.parquet", "key": "id", "label": "y", "time": "when"}
    understood = understand(job(data=data), Source(table, "rows"))
    assert understood.job.split.by == "time"
    assert understood.job.data.features == ("age",)
    assert understood.places.parts["test"].tolist() == list(range(75, 100))


@pytest.mark.parametrize(
    ("data", "split", "how"),
    [
        ({}, {}, "stratified"),
        ({"time": "when"}, {}, "time"),
        ({"group": "city"}, {}, "group"),
        ({"time": "when", "group": "city"}, {}, "group"),
        ({"time": "when", "group": "city"}, {"column": "part"}, "fixed"),
        ({}, {"validation_paths": ["v"]}, "fixed"),
        ({}, {"test_paths": ["t"]}, "fixed"),
        ({"time": "when", "group": "city"}, {"by": "time"}, "time"),
        ({"time": "when"}, {"by": "random"}, "random"),
    ],
)
def test_columns_say_how_rows_are_split_unless_the_job_does(
    data: dict[str, str], split: dict[str, Any], how: str
) -> None:
    paths = {"paths": "a.parquet", "key": "id", "label": "y", **data}
    settled = _settle_split(job(data=paths, task="classification", split=split))
    assert settled.split.by == how


def test_numbers_are_split_by_chance() -> None:
    assert _settle_split(job(task="regression")).split.by == "random"


@pytest.mark.parametrize("how", ["group", "time"])
def test_a_split_without_its_column_is_refused(how: str) -> None:
    with pytest.raises(JobError, match=f"data.{how} is needed: split.by is {how}"):
        _settle_split(job(split={"by": how}))
