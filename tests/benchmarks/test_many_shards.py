"""The simulated store is planned and published with every row: its figures are those of the program's own code."""

import json
from pathlib import Path

from tests.benchmarks.many_shards import ROWS, plan_and_publish


def test_every_shard_and_row_is_in_the_books(tmp_path: Path) -> None:
    shards = 300
    phases, totals = plan_and_publish(shards, tmp_path)
    assert totals == {"in": shards * ROWS, "scored": shards * ROWS, "filtered": 0, "rejected": 0}
    assert [phase.name for phase in phases][:2] == ["list", "footers"]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert len(manifest["inputs"]) == shards
    # Put together, and each in the books of one unit.
    assert 1 < len(manifest["units"]) < shards
    told = [number for unit in manifest["units"] for number, *_ in unit.get("shards", ())]
    assert sorted(told) == list(range(shards))
