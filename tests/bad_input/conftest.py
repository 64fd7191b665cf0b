"""A tiny model and a job for it, and what a run of the real program came to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import score
from pipelines.command_line import run_program
from tests.builders import tiny_package

JOB = """
name: bad_input
source: {{paths: none, key: id}}
model: {{package: '{package}'}}
postprocess: {{keep: [probability]}}
sink: {{path: none}}
"""


@dataclass(frozen=True)
class Outcome:
    """What one run left: its exit status, what it said on stderr, and its output folder."""

    status: int
    error: str
    output: Path

    def refused(self, *words: str) -> None:
        """The input was refused in one plain line that holds these words, and nothing was published."""
        assert self.status == 3, self.error
        for word in words:
            assert word in self.error, self.error
        assert self.error.count("\n") == 1, self.error
        assert not (self.output / "CURRENT").exists()

    def rows(self) -> pa.Table:
        """The published rows, in the order of their key."""
        assert self.status == 0, self.error
        return pa.concat_tables([pq.read_table(p) for p in sorted(self.run.glob("part-*.parquet"))]).sort_by("id")

    def rejected(self) -> dict[int, tuple[Any, str, str]]:
        """Row number to (key, stage, message) of the rejected rows."""
        assert self.status == 0, self.error
        records = [r for p in sorted((self.run / "rejected").glob("*.parquet")) for r in pq.read_table(p).to_pylist()]
        return {r["row"]: (r["key"], r["stage"], r["message"]) for r in records}

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.run / "manifest.json").read_text())

    @property
    def run(self) -> Path:
        return self.output / "runs" / (self.output / "CURRENT").read_text().strip()


Score = Callable[..., Outcome]


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job for a model of three float columns `a`, `b`, `c`, with a key `id`."""
    folder = tmp_path_factory.mktemp("tiny")
    path = folder / "job.yaml"
    path.write_text(JOB.format(package=tiny_package(folder / "model")))
    return path


@pytest.fixture
def score_it(job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Score:
    """The real program in this process: files, folders or globs to score; rows may be rejected."""

    def run(*arguments: Path | str, settings: dict[str, Any] | None = None, config: Path = job) -> Outcome:
        output = tmp_path / f"out-{uuid.uuid4().hex}"
        words = ["--config", str(config), "--output", str(output), "--quiet", "--direct_running_mode=in_memory"]
        fields = {"source.paths": [str(path) for path in arguments], "errors.max_rejected_percent": 100, **(settings or {})}
        words += [word for key, value in fields.items() for word in ("--set", f"{key}={json.dumps(value, ensure_ascii=False)}")]
        capsys.readouterr()
        status = run_program(score.main, words)
        return Outcome(status, capsys.readouterr().err, output)

    return run


@pytest.fixture
def score_csv(score_it: Score, tmp_path: Path) -> Iterator[Score]:
    """The same for the text of one CSV file with a string column `s` to carry."""

    def run(content: str | bytes, name: str = "in.csv", **settings: Any) -> Outcome:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        csv = {"source.format": "csv", "source.types": {"id": "int64", "s": "string"}, "source.passthrough": ["s"]}
        return score_it(path, settings={**csv, **settings})

    return run


def table(rows: int = 4, first: int = 0, **columns: Any) -> pa.Table:
    """Rows that the tiny model scores, with more columns if given."""
    features = {name: pa.array(np.arange(rows, dtype=np.float32) + at) for at, name in enumerate("abc")}
    return pa.table({"id": pa.array(range(first, first + rows), type=pa.int64()), **(features | columns)})


def write(folder: Path, name: str = "in.parquet", rows: pa.Table | None = None, **options: Any) -> Path:
    """A Parquet shard in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table() if rows is None else rows, str(folder / name), **options)
    return folder / name
