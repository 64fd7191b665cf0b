"""A small job, a run of the program in this process, and what that left.

job = write_job(folder, tiny_package(folder / "model"), model={"batch_rows": 64})
outcome = run_job(job, settings={"errors.max_rejected_rows": 10})
outcome.scored()["id"]
"""

from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import score
from pipelines.cli.command_line import run_program


@dataclass(frozen=True)
class Outcome:
    """What one run left, read without our code.

    Attributes:
        status: its exit status.
        said: what it wrote to stdout.
        error: what it wrote to stderr.
        output: its output folder.
    """

    status: int
    said: str
    error: str
    output: Path

    def refused(self, *words: str, status: int = 3) -> None:
        """Check that the run ended in one plain line that holds these words, and published nothing."""
        assert self.status == status, self.error
        for word in words:
            assert word in self.error, self.error
        assert self.error.count("\n") == 1, self.error
        assert self.error.startswith("error: "), self.error
        assert "internal error" not in self.error, self.error
        assert not self.is_published()

    def is_published(self) -> bool:
        """Tell whether any run is published in the output folder."""
        return (self.output / "CURRENT").exists()

    @property
    def run(self) -> Path:
        """The folder of the current run."""
        return self.output / "runs" / (self.output / "CURRENT").read_text().strip()

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest of the current run."""
        return json.loads((self.run / "_manifest.json").read_text())

    @property
    def parts(self) -> list[Path]:
        """The files of scored rows, in the order of their names."""
        return sorted((self.run / "scored").iterdir())

    def scored(self) -> pa.Table:
        """Return the published rows, in the order of the files that hold them."""
        assert self.status == 0, self.error
        return pa.concat_tables([pq.read_table(path) for path in self.parts])

    def rows(self) -> pa.Table:
        """Return the published rows, in the order of their `id`."""
        return self.scored().sort_by("id")

    def rejected(self) -> list[dict[str, Any]]:
        """Return the records of the rejected rows, in the order of their source and row number."""
        assert self.status == 0, self.error
        records = [
            record
            for path in self.run.glob("_rejected/*.parquet")
            for record in pq.read_table(path).to_pylist()
        ]
        return sorted(records, key=lambda record: (record["source"], record["row"]))

    def read_files(self) -> dict[str, bytes]:
        """Return what was published of rows, by its place in the run."""
        assert self.status == 0, self.error
        contents = {}
        for room in ("scored", "_rejected"):
            for path in (self.run / room).iterdir():
                contents[f"{room}/{path.name}"] = path.read_bytes()
        return contents


def write_job(folder: Path, package: Path | str, **sections: Mapping[str, Any]) -> Path:
    """Write `job.yaml` into a folder: what lies in its `shards/` is scored into its `scores/`, by the key `id`.

    Args:
        folder: where the job's file goes; it is made.
        package: the model package.
        sections: fields to add or to replace, by section: `model={"batch_rows": 64}`.
    """
    job: dict[str, Any] = {
        "source": {"paths": f"{folder}/shards/*", "key": "id"},
        "model": {"package": str(package)},
        "sink": {"path": f"{folder}/scores"},
    }
    for name, fields in sections.items():
        job[name] = {**job.get(name, {}), **fields}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "job.yaml"
    path.write_text(json.dumps({"name": "tiny", **job}))
    return path


def set_flags(settings: Mapping[str, Any]) -> list[str]:
    """Return the flags that set these fields of a job, as `{"source.paths": ["a", "b"]}`."""
    return [
        word
        for key, value in settings.items()
        for word in ("--set", f"{key}={json.dumps(value, ensure_ascii=False)}")
    ]


def run_job(
    job: Path, *flags: str, output: Path | None = None, settings: Mapping[str, Any] | None = None
) -> Outcome:
    """Run `pipelines.score --quiet` in this process.

    Args:
        job: the job's file.
        flags: more flags.
        output: another output folder than `scores` beside the job's file.
        settings: fields to set, as for `set_flags`.
    """
    output = job.parent / "scores" if output is None else output
    words = [
        "--config",
        str(job),
        "--output",
        str(output),
        "--quiet",
        *set_flags(settings or {}),
        *flags,
    ]
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(io.StringIO()) as error:
        status = run_program(score.main, words)
    return Outcome(status, said.getvalue(), error.getvalue(), output)


def small_table(rows: int = 4, first: int = 0, **columns: Any) -> pa.Table:
    """Return rows that `tiny_package` scores, with a key `id` from `first` on; `columns` replace some of theirs, or are added."""
    features = {
        name: pa.array(np.arange(rows, dtype=np.float32) + at) for at, name in enumerate("abc")
    }
    return pa.table(
        {"id": pa.array(range(first, first + rows), type=pa.int64()), **(features | columns)}
    )


def write_parquet(path: Path, rows: pa.Table | None = None, **options: Any) -> Path:
    """Write a Parquet shard, and the folders above it; `options` are those of `pyarrow.parquet.write_table`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(small_table() if rows is None else rows, str(path), **options)
    return path
