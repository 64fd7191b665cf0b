"""A job whose rows can be spoilt one by one: column `a` holds the row's number, `id` the same as text."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import score
from pipelines.command_line import run_program
from tests.builders import tiny_package

CONFIG = """
name: bad_rows
source: {{paths: '{folder}/shards/*.parquet', key: id, passthrough: [id]}}
model: {{package: '{folder}/model', batch_rows: 64}}
sink: {{path: '{folder}/scores'}}
"""


def write_shard(path: Path, numbers: np.ndarray, **columns: pa.Array) -> None:
    """A shard whose rows are numbered; `columns` replace its own."""
    a = numbers.astype(np.float32)
    names = pa.array([f"k{n}" for n in numbers.tolist()])
    own = {"id": names, "a": pa.array(a), "b": pa.array(a / 7 % 1), "c": pa.array(-a / 3 % 1)}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({**own, **columns}), path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where `model/`, `shards/` and `scores/` of the job stand."""
    tiny_package(
        tmp_path / "model",
        builder="spoilt",
        parameters={},
        columns=[{"name": name, "type": "float", "missing": "reject"} for name in ("a", "b", "c")],
    )
    (tmp_path / "job.yaml").write_text(CONFIG.format(folder=tmp_path))
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Callable[..., int]:
    """Score the job in this process, and give the exit status."""

    def run(*arguments: str, output: str = "scores") -> int:
        return run_program(
            score.main, ["--config", str(folder / "job.yaml"), "--output", str(folder / output), "--quiet", *arguments]
        )

    return run
