"""The graph's functions in a loop give the scores of a loop with torch alone: what the graph itself costs is told beside them."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.benchmarks import batches_loops, graphs, tabular_loops
from tests.benchmarks.tabular_data import make_package, make_shards, package_folder, shards_folder

_ROWS = 150


@pytest.mark.parametrize("name", batches_loops.LOOPS)
def test_the_functions_alone_score_as_a_plain_loop(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Exporting takes seconds, and nothing here reads a graph.
    monkeypatch.setattr(graphs, "LIBRARIES", ("nobody_has_this",))
    make_shards(tmp_path, _ROWS, 1)
    make_package(tmp_path)
    shards = sorted(shards_folder(tmp_path, _ROWS, 1).iterdir())
    found, expected = tmp_path / "found", tmp_path / "expected"
    found.mkdir()
    expected.mkdir()
    batches_loops.LOOPS[name](shards, package_folder(tmp_path), found)
    tabular_loops.LOOPS["plain"](shards, package_folder(tmp_path), expected)
    scores = [pq.read_table(folder).sort_by("id") for folder in (found, expected)]
    assert scores[0]["id"] == scores[1]["id"]
    assert scores[0]["probability"].to_numpy() == pytest.approx(scores[1]["probability"].to_numpy())
