"""A shard of which every row is rejected, or that has none: whatever the steps are, the others are scored, and the books balance."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from model_zoo.steps.pca import Pca
from model_zoo.steps.select import Select
from model_zoo.steps.stack import Stack
from tests.support.builders import FEATURES, tiny_package
from tests.support.jobs import run_job, small_table, write_job, write_parquet

COUNT = len(FEATURES)
AXES = tuple(tuple(float(place == number) for place in range(COUNT)) for number in range(COUNT))
KEPT = ((0,),) * COUNT
STEPS: dict[str, Any] = {
    "stack": Stack(step="stack", columns=FEATURES, into="x"),
    # The columns themselves, as the others give them.
    "pca": Pca(step="pca", columns=FEATURES, into="x", mean=(0.0,) * COUNT, axes=AXES),
    "select": Select(step="select", columns=FEATURES, into="x", method="variance", kept=KEPT),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_shard_without_a_row_that_can_be_scored_costs_its_own_rows(
    step: str, tmp_path: Path
) -> None:
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]
    package = tiny_package(tmp_path / "model", steps=(STEPS[step],), columns=columns)
    job = write_job(tmp_path, package, errors={"max_rejected_rows": 9})
    gaps = pa.array(np.full(4, np.nan, dtype=np.float32))
    write_parquet(tmp_path / "shards/0.parquet", small_table(4, 0))
    write_parquet(tmp_path / "shards/1.parquet", small_table(4, 4, **{FEATURES[0]: gaps}))
    write_parquet(tmp_path / "shards/2.parquet", small_table(4, 8).slice(0, 0))
    outcome = run_job(job)
    assert outcome.status == 0, outcome.error
    assert outcome.manifest["rows"] == {"in": 8, "scored": 4, "rejected": 4, "filtered": 0}
    plain = tiny_package(tmp_path / "plain", columns=columns)
    wanted = run_job(
        write_job(
            tmp_path / "other",
            plain,
            source={"paths": str(tmp_path / "shards/0.parquet"), "key": "id"},
        )
    )
    assert outcome.scored()["probability"].to_pylist() == wanted.scored()["probability"].to_pylist()
