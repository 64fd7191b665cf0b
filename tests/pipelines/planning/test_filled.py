"""A job's own fill step comes before the model's contract: a row that it fills is scored, and never rejected."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError
from model_zoo.package.card import InputColumn
from model_zoo.steps.fill import Fill
from model_zoo.steps.scale import Scale
from pipelines.planning.filled import list_job_fills, with_job_fills
from tests.support.builders import tiny_package
from tests.support.jobs import run_job, small_table, write_job, write_parquet

FILL = {"step": "fill", "columns": ["a"], "values": [0.5]}


def rule(name: str, **policy: Any) -> InputColumn:
    return InputColumn(name=name, type="double", **policy)


CONTRACT = (
    rule("a", missing="reject"),
    rule("b", missing="error"),
    rule("c", missing="fill"),
    rule("d", missing="fill", fill=1.0),
    rule("e", missing="reject"),
)


def fill(*names: str, value: float = 1.0) -> Fill:
    return Fill(step="fill", columns=names, values=(value,) * len(names))


def test_what_the_job_fills_is_left_to_its_step() -> None:
    steps = [fill("a", "b"), fill("c", "d", "other")]
    assert list_job_fills(CONTRACT, steps) == ("a", "b")
    found = with_job_fills(CONTRACT, steps)
    assert [(each.name, each.missing, each.fill) for each in found] == [
        ("a", "fill", None),
        ("b", "fill", None),
        ("c", "fill", None),
        ("d", "fill", None),
        ("e", "reject", None),
    ]


def test_other_steps_fill_nothing() -> None:
    scale = Scale(step="scale", columns=("a",), factor=(2.0,), offset=(0.0,))
    assert list_job_fills(CONTRACT, [scale]) == ()
    assert with_job_fills(CONTRACT, [scale]) == CONTRACT


def test_two_values_for_one_missing_one_are_refused_by_name() -> None:
    with pytest.raises(JobError, match="the model's contract fills 'd' with another value"):
        list_job_fills(CONTRACT, [fill("a", "d", value=2.0)])


@pytest.mark.parametrize("policy", ["error", "reject"])
def test_a_row_whose_missing_value_the_job_fills_is_scored_with_it(
    policy: str, tmp_path: Path
) -> None:
    columns = [{"name": name, "type": "float", "missing": policy} for name in "abc"]
    package = tiny_package(tmp_path / "model", columns=columns)
    table = small_table(6)
    values = table["a"].to_numpy().copy()
    whole = table.set_column(
        1, "a", pa.array(np.where(np.arange(6) == 2, 0.5, values), pa.float32())
    )
    holed = table.set_column(1, "a", pa.array(values, pa.float32(), mask=np.arange(6) == 2))
    assert table.column_names[1] == "a"
    scored = []
    for number, (shard, steps) in enumerate([(whole, []), (holed, [FILL])]):
        folder = tmp_path / str(number)
        write_parquet(folder / "shards/0.parquet", shard)
        outcome = run_job(write_job(folder, package, preprocess={"steps": steps}))
        assert outcome.status == 0, outcome.error
        scored.append(outcome.scored())
    assert scored[0].num_rows == 6
    assert scored[0].equals(scored[1])
