"""Which columns of contents a job's steps make, and where none may be made."""

from typing import Any

import pytest

from configs.errors import JobError
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.loads import list_loads

STEP = {"step": "load_file", "column": "photo", "root": "/photos", "into": "content"}


def job(source: dict[str, Any], *steps: dict[str, Any]) -> ScoringJob:
    fields = {
        "name": "n",
        "source": {"paths": "in/*", **source},
        "model": {"package": "model"},
        "preprocess": {"steps": list(steps)},
        "sink": {"path": "out"},
    }
    return ScoringJob.model_validate(fields)


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_each_step_makes_a_column(format: str) -> None:
    other = {**STEP, "column": "scan", "into": "page", "max_bytes": 7}
    loads = list_loads(job({"format": format}, STEP, other))
    found = [(load.into, load.root, load.column) for load in loads]
    assert found == [("content", "/photos", "photo"), ("page", "/photos", "scan")]
    assert loads[1].max_bytes == 7


@pytest.mark.parametrize("format", ["parquet", "csv", "files"])
def test_without_such_a_step_no_column_is_made(format: str) -> None:
    assert list_loads(job({"format": format})) == ()


def test_files_have_their_contents_already() -> None:
    with pytest.raises(JobError, match="has their contents already, in the column 'bytes'"):
        list_loads(job({"format": "files"}, STEP))
