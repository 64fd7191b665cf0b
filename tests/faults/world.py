"""A small job whose every kind of file is written (several files per unit, rejected rows), and looks at its output without our code."""

from dataclasses import dataclass
import hashlib
import json
import os
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.builders import FEATURES, tiny_package

SHARDS, ROWS, BAD = 6, 40, (85, 90)
_JOB = """
name: faults
source: {{paths: '{folder}/shards/*.parquet', key: id}}
model: {{package: '{folder}/model', batch_rows: 32}}
postprocess: {{keep: [probability]}}
sink: {{path: nowhere, rows_per_file: {rows_per_file}}}
errors: {{max_rejected_rows: 5}}
"""
# Another setting is another run.
OTHER_SETTING = ("--set", "postprocess.where=probability > 0.4")


def make_world(
    folder: Path,
    shards: int = SHARDS,
    rows: int = ROWS,
    bad: tuple[int, ...] = BAD,
    rows_per_file: int = 30,
) -> Path:
    """Shards, a model and a job; rows of `bad` (ids) lack a value and are rejected. Gives the job's file."""
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]
    tiny_package(folder / "model", columns=columns)
    for shard in range(shards):
        write_shard(folder, shard, rows, bad)
    (folder / "job.yaml").write_text(_JOB.format(folder=folder, rows_per_file=rows_per_file))
    return folder / "job.yaml"


def write_shard(folder: Path, shard: int, rows: int = ROWS, bad: tuple[int, ...] = ()) -> Path:
    """One shard; its ids go on where those of the one before end."""
    ids = np.arange(shard * rows, (shard + 1) * rows)
    values = np.random.default_rng([5, shard]).standard_normal(
        (len(FEATURES), rows), dtype=np.float32
    )
    mask = [None if i in bad else float(v) for i, v in zip(ids.tolist(), values[0], strict=True)]
    columns = [pa.array(mask, type=pa.float32()), *map(pa.array, values[1:])]
    path = folder / f"shards/part-{shard:05d}.parquet"
    path.parent.mkdir(exist_ok=True)
    pq.write_table(
        pa.table([pa.array(ids), *columns], names=["id", *FEATURES]), path, row_group_size=rows
    )
    return path


@dataclass(frozen=True)
class Seen:
    """What a reader finds by CURRENT -> manifest -> files: the run's id, and its files by name."""

    run_id: str
    files: dict[str, bytes]


def read_output(output: Path) -> Seen | None:
    """The current run, checked as it is read; None when there is none.

    Raises:
        AssertionError: CURRENT, the manifest, and the files do not fit together.
    """
    try:
        run_id = (output / "CURRENT").read_text()
    except FileNotFoundError:
        return None
    assert run_id.endswith("\n")
    return read_run(output, run_id.strip())


def read_run(output: Path, run_id: str) -> Seen:
    """A published run, every file of it checked against its manifest."""
    folder = output / "runs" / run_id
    manifest = json.loads((folder / "_manifest.json").read_text())
    assert manifest["run_id"] == run_id
    files = {}
    summarised = manifest.get("summary_parts", []) + manifest.get("summaries", [])
    of_shards = manifest.get("rejected_shards", [])
    for entry in manifest["files"] + manifest["rejected_files"] + of_shards + summarised:
        files[entry["path"]] = content = (folder / entry["path"]).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (
            entry["sha256"],
            entry["bytes"],
        ), entry["path"]
    return Seen(run_id, files)


def read_link(output: Path) -> str | None:
    """Id of the run whose scored rows the link leads to, all of which can be read; None when there is none."""
    try:
        folder = Path(os.path.realpath(output / "current", strict=True))
    except FileNotFoundError:
        return None
    assert folder.name == "scored"
    for part in folder.iterdir():
        pq.read_metadata(part)
    assert (folder.parent / "_manifest.json").exists(), folder
    return folder.parent.name


def check_every_row_once(output: Path, rows: int, bad: tuple[int, ...] = BAD) -> None:
    """Every id of the input is in exactly one file of scored or rejected rows; what could not be read has none."""
    run = output / "runs" / (output / "CURRENT").read_text().strip()
    scored = f"SELECT id FROM read_parquet('{run}/scored/*')"
    keys_rejected = (
        f"SELECT key FROM read_parquet('{run}/_rejected/*.parquet') WHERE key IS NOT NULL"
    )
    rejected = f" UNION ALL {keys_rejected}" if bad else ""
    with duckdb.connect() as connection:  # of its own, because tests look from several threads
        found = connection.sql(
            f"SELECT count(*), count(DISTINCT id), min(id), max(id) FROM ({scored}{rejected})"
        ).fetchall()
        assert found == [(rows, rows, 0, rows - 1)]
        if bad:
            keys = connection.sql(f"{keys_rejected} ORDER BY key").fetchall()
            assert [key for (key,) in keys] == list(bad)


def is_one_plain_line(text: str, beginning: str = "error: ") -> bool:
    """Whether a log is one line for a person, and no traceback or internal error."""
    return (
        text.startswith(beginning)
        and text.count("\n") == 1
        and text.endswith("\n")
        and "internal error" not in text
    )
