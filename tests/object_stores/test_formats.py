"""Files of each format in a store give the bytes that those on a disk give; of what workers share, each reads its part."""

from pathlib import Path

import pytest

from storage import files
from tests.support.builders import tiny_package
from tests.support.format_files import KINDS, source_of, write_shard
from tests.support.jobs import run_job, small_table, write_job
from tests.support.runs import published

SHARDS, ROWS = 2, 500


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_those_of_files_on_a_disk(kind: str, bucket: str, tmp_path: Path) -> None:
    for number in range(SHARDS):
        rows = small_table(ROWS, first=number * ROWS)
        path = write_shard(tmp_path / "shards", number, kind, rows)
        files.put(f"{bucket}/in/{path.name}", path.read_bytes())
    job = write_job(tmp_path, tiny_package(tmp_path / "model"), source=source_of(kind))
    # Where a format can cut a file, into units of some rows each.
    cut = {"sink.rows_per_file": 100}
    here = run_job(job, settings=cut)
    assert here.status == 0, here.error
    in_store = cut | {"source.paths": f"{bucket}/in"}
    there = run_job(job, settings=in_store, output=tmp_path / "there")
    assert there.status == 0, there.error
    assert there.manifest["rows"]["scored"] == SHARDS * ROWS
    assert published(tmp_path / "there") == published(tmp_path / "scores")
