"""What is measured of many shards is the program's own work, and all of it: every row is published, every shard in the books."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.many_shards import plan_and_publish
from tests.benchmarks.scaling_data import TINY_ROWS, make_package


@pytest.mark.slow
@pytest.mark.parametrize("on_disk", [False, True])
def test_every_shard_and_row_is_in_the_books(on_disk: bool, tmp_path: Path) -> None:
    shards = 300
    make_package(tmp_path / "package")
    phases, published = plan_and_publish(shards, tmp_path / "package", tmp_path, on_disk)
    assert published.rows_in == published.rows_scored == shards * TINY_ROWS
    assert [phase.name for phase in phases] == ["plan", "find all done", "publish", "plan again"]
    (path,) = tmp_path.glob("measured/scores/runs/*/_manifest.json")
    manifest = json.loads(path.read_text())
    assert len(manifest["inputs"]) == shards
    # Put together, and each in the books of one unit.
    assert 1 < len(manifest["units"]) < shards
    numbers = {entry["url"]: number for number, entry in enumerate(manifest["inputs"])}
    told = []
    for unit in manifest["units"]:
        # One that has a shard alone names it; which ones those are, the names of the files decide.
        alone = [[numbers[unit["shard"]]]]
        told += [number for number, *_ in unit.get("shards", alone)]
    assert sorted(told) == list(range(shards))
