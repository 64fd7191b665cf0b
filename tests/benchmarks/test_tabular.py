"""The benchmark command runs, and all contenders give the same answers; what it says about speed is not tested."""

from importlib.util import find_spec
import json
from pathlib import Path
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.benchmarks.tabular import check_answers


@pytest.mark.skipif(find_spec("pipelines.score") is None, reason="needs the pipeline")
def test_command_runs_and_answers_agree(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    sizes = ["--rows", "3001", "--shards", "2", "--stock_rows", "200", "--repeats", "1"]
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.tabular",
        *sizes,
        "--folder",
        str(tmp_path / "folder"),
        "--json",
        str(report),
    ]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    actual = json.loads(report.read_text())
    assert actual["largest_difference"].keys() == {"pipeline", "plain", "best", "tuned", "stock"}
    assert actual["contenders"]["pipeline"]["work_seconds"]


@pytest.mark.parametrize(
    ("ids", "probabilities", "message"),
    [
        ([0, 1], [0.5, 0.6], "wrote 2 rows"),
        ([0, 1, 1], [0.5, 0.6, 0.7], "ids of the first"),
        ([2, 1, 0], [0.7, 0.6, 0.5001], "differ by"),
        ([0, 1, 2], [0.5, float("nan"), 0.7], "differ by"),
    ],
)
def test_a_wrong_answer_fails(tmp_path: Path, ids: list[int], probabilities: list[float], message: str) -> None:
    for name, columns in (("right", ([2, 0, 1], [0.7, 0.5, 0.6])), ("wrong", (ids, probabilities))):
        (tmp_path / name).mkdir()
        pq.write_table(
            pa.table({"id": columns[0], "probability": pa.array(columns[1], pa.float32())}), tmp_path / name / "a.parquet"
        )

    with pytest.raises(SystemExit, match=message):
        check_answers(tmp_path / "right", tmp_path / "wrong", "wrong", rows=3, compared_rows=3)


def test_a_right_answer_in_another_order_passes(tmp_path: Path) -> None:
    for name, ids in (("one", [0, 1, 2]), ("two", [2, 1, 0])):
        (tmp_path / name).mkdir()
        pq.write_table(
            pa.table({"id": ids, "probability": pa.array([i / 4 for i in ids], pa.float32())}), tmp_path / name / "a.parquet"
        )

    assert check_answers(tmp_path / "one", tmp_path / "two", "two", rows=3, compared_rows=3) == 0.0
