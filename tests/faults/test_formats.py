"""A run over files of each format is killed once a unit is done: the done unit stands, and a rerun ends in the same bytes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults.injector import Request
from tests.faults.programs import flags_of
from tests.faults.server import Server
from tests.faults.world import read_output
from tests.support.builders import tiny_package
from tests.support.format_files import KINDS, source_of, write_shard
from tests.support.jobs import small_table, write_job

KILLED = -9
SHARDS, ROWS = 3, 2_000
RECORDED = "transforms.output.done_record.finish_unit:files.create"


def scoring(job: Path, output: Path, **fault: Any) -> Request:
    flags = flags_of(job, output)
    return Request("pipelines.score", flags, f"{output}.log", beam=False, **fault)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_after_a_unit_it_goes_on_with_the_others(
    kind: str, server: Server, tmp_path: Path
) -> None:
    for number in range(SHARDS):
        rows = small_table(ROWS, first=number * ROWS)
        write_shard(tmp_path / "shards", number, kind, rows)
    source = source_of(kind)
    sink = {"path": "unused", "rows_per_file": 1_000}
    package = tiny_package(tmp_path / "model")
    job = write_job(tmp_path, package, source=source, sink=sink)
    assert server.strike(scoring(job, tmp_path / "undisturbed")) == 0

    output = tmp_path / "scores"
    killed = scoring(job, output, chain=RECORDED, hit=1, after=True, action="kill")
    assert server.strike(killed) == KILLED
    assert read_output(output) is None
    done = list(output.glob("_tmp/*/done/*.json"))
    record = tmp_path / "chains"
    assert server.strike(scoring(job, output, record=str(record))) == 0
    assert read_output(output) == read_output(tmp_path / "undisturbed")
    # Each of the others asks for its record once.
    asked = record.read_text().splitlines().count(RECORDED)
    (manifest,) = output.glob("runs/*/_manifest.json")
    units = len(json.loads(manifest.read_text())["units"])
    assert 0 < len(done) < units
    assert asked == units - len(done)
