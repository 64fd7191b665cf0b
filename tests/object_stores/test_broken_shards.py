"""Broken shards in a store cost themselves, and one that the store does not give costs the run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines import verify
from pipelines.cli.command_line import run_program
from pipelines.scoring import launch as launching
from storage import files
from tests.object_stores.proxy import Proxy
from tests.object_stores.servers import Server
from tests.object_stores.stores import at
from tests.support.broken_files import write_cut, write_spoilt
from tests.support.builders import parquet, tiny_package
from tests.support.jobs import run_job, small_table, write_job, write_parquet

ROWS = 6
Write = Callable[[Path, pa.Table], Path]
# In the order of their names, and so of their rows.
WRITERS: dict[str, Write] = {"cut": write_cut, "spoilt": write_spoilt, "whole": write_parquet}


def test_others_are_scored_and_each_lost_row_is_told(
    bucket: str, server: Server, proxy: Proxy, tmp_path: Path
) -> None:
    for number, (name, write) in enumerate(WRITERS.items()):
        path = write(tmp_path / f"{name}.parquet", small_table(ROWS, first=number * ROWS))
        files.put(f"{bucket}/in/{path.name}", path.read_bytes())
    source = {"paths": f"{bucket}/in"}
    job = write_job(tmp_path, tiny_package(tmp_path / "model"), source=source)
    settings = {"errors.max_broken_shards": 2}

    # What the store does not give today it may give tomorrow.
    proxy.instead = lambda request: (403, b"") if "whole" in request else None
    with at(Server(server.scheme, proxy.address)):
        run_job(job, settings=settings).refused("whole.parquet: cannot be read")

    outcome = run_job(job, settings=settings)
    assert outcome.rows().column("id").to_pylist() == list(range(2 * ROWS, 3 * ROWS))
    told = [(shard["url"], shard["stage"]) for shard in outcome.manifest["broken_shards"]]
    assert told == [(f"{bucket}/in/cut.parquet", "plan"), (f"{bucket}/in/spoilt.parquet", "read")]
    numbers = [record["row"] for record in outcome.rejected()]
    assert numbers == [None, *range(ROWS)]
    assert run_program(verify.main, [str(outcome.output), "--inputs"]) == 0


def test_objects_that_change_or_go_under_the_run_cost_themselves(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [f"{bucket}/in/{name}.parquet" for name in ("changed", "gone", "whole")]
    contents = [parquet(small_table(ROWS, first=number * ROWS)) for number in range(4)]
    for url, content in zip(urls, contents, strict=False):
        files.put(url, content)
    job = write_job(tmp_path, tiny_package(tmp_path / "model"), source={"paths": f"{bucket}/in"})
    launch = launching.launch

    def change_first(*args: Any) -> int:
        files.put(urls[0], contents[3])
        files.remove(urls[1])
        return launch(*args)

    monkeypatch.setattr(launching, "launch", change_first)
    outcome = run_job(job, settings={"errors.max_broken_percent": 70})
    assert outcome.rows().column("id").to_pylist() == list(range(2 * ROWS, 3 * ROWS))
    told = [
        (shard["url"], shard["row"], shard["rows"]) for shard in outcome.manifest["broken_shards"]
    ]
    assert told == [(urls[0], 0, ROWS), (urls[1], 0, ROWS)]
    assert {record["row"] for record in outcome.rejected()} == set(range(ROWS))
