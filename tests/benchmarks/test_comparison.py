"""The benchmark command runs, and all contenders give the same answers; what it says about speed is not tested."""

import json
from pathlib import Path
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.benchmarks.answers import CLASSES, EMBEDDINGS, PROBABILITIES, Agreement, check_answers
from tests.benchmarks.compare import Contender, Run, Shards, ratios, work_ratios
from tests.benchmarks.machine import absent_because
from tests.benchmarks.text_data import INSTALL, is_installed
from tests.support.long import long

SMALL = {
    "tabular": ["--tabular_rows", "3001", "--shards", "2", "--stock_rows", "200"],
    "wide": ["--wide_rows", "601", "--shards", "2"],
    "csv": ["--line_rows", "1003"],
    "csv_one_file": ["--line_rows", "1003"],
    "jsonl": ["--line_rows", "1003"],
    "images": ["--images", "19"],
    "digits": ["--digits", "120"],
    "text": ["--texts", "21"],
    "tiny": ["--tiny_shards", "12"],
    "batches": ["--batches", "40"],
}


def measured(
    folder: Path, workload: str, *contenders: str, more: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What the command says in JSON of one small workload."""
    path = folder / "report.json"
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks",
        "--workloads",
        workload,
        *SMALL[workload],
        "--repeats",
        "1",
        *more,
    ]
    command += [
        "--contenders",
        *contenders,
        "--folder",
        str(folder / "folder"),
        "--json",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(path.read_text())
    assert report["machine"]["cpu"]
    figures: dict[str, Any] = report["workloads"][workload]
    return figures


@pytest.mark.program
def test_the_pipeline_and_a_loop_agree(tmp_path: Path) -> None:
    """The one comparison that every run of the tests does: real starts, since the command is to start its contenders."""
    check_agreement(tmp_path, "tabular", "pipeline", "plain")


@long
@pytest.mark.parametrize(
    ("workload", "contenders"),
    [
        ("tabular", ("pipeline", "plain", "best", "tuned", "stock")),
        ("wide", ("pipeline", "plain", "best")),
        ("tiny", ("pipeline", "plain")),
        ("csv", ("pipeline", "pyarrow", "pandas", "best")),
        ("csv_one_file", ("pipeline", "pyarrow", "best")),
        ("jsonl", ("pipeline", "pyarrow", "duckdb")),
        ("images", ("untuned", "plain", "best")),
        ("digits", ("untuned", "plain", "best")),
        pytest.param(
            "text",
            ("untuned", "plain", "best"),
            marks=pytest.mark.skipif(not is_installed(), reason=INSTALL),
        ),
    ],
)
def test_answers_agree(tmp_path: Path, workload: str, contenders: tuple[str, ...]) -> None:
    check_agreement(tmp_path, workload, *contenders)


def check_agreement(folder: Path, workload: str, *contenders: str) -> None:
    figures = measured(folder, workload, *contenders)
    assert tuple(figures["contenders"]) == contenders
    for name, contender in figures["contenders"].items():
        assert contender["agreement"], name
        assert contender["work_seconds"], name
        assert (contender["ratio"] is None) == (name == contenders[0])


@long
@pytest.mark.parametrize("engine", ["ray", "daft", "spark"])
def test_answers_of_another_engine_agree(tmp_path: Path, engine: str) -> None:
    if why := absent_because(engine):
        pytest.skip(f"{engine} is not here: {why}")

    figures = measured(tmp_path, "tabular", "plain", engine, more=("--engine_rows", "1500"))

    assert figures["contenders"][engine]["agreement"]["largest difference"] < 1e-6


@long
def test_an_engine_that_is_not_here_is_named(tmp_path: Path) -> None:
    if absent_because("daft") is None:
        pytest.skip("daft is here")

    figures = measured(tmp_path, "tabular", "plain", "daft")

    assert tuple(figures["contenders"]) == ("plain",)
    assert "daft" in figures["absent"]["daft"]


@long
def test_the_cost_of_the_graph_is_per_batch(tmp_path: Path) -> None:
    derived = measured(tmp_path, "batches", "pipeline")["derived"]

    for unit in ("milliseconds", "milliseconds of a core"):
        assert {
            f"{unit} per batch, functions",
            f"{unit} per batch, the graph's own",
        } <= derived.keys()


def written(folder: Path, name: str, columns: dict[str, Any]) -> Path:
    (folder / name).mkdir()
    pq.write_table(pa.table(columns), folder / name / "a.parquet")
    return folder / name


@pytest.mark.parametrize(
    ("ids", "probabilities", "message"),
    [
        ([0, 1], [0.5, 0.6], "wrote 2 rows"),
        ([0, 1, 1], [0.5, 0.6, 0.7], "ids of the first"),
        ([2, 1, 0], [0.7, 0.6, 0.5001], "largest difference is"),
        ([0, 1, 2], [0.5, float("nan"), 0.7], "largest difference is nan"),
    ],
)
def test_a_wrong_answer_fails(
    tmp_path: Path, ids: list[int], probabilities: list[float], message: str
) -> None:
    right = written(
        tmp_path, "right", {"id": [2, 0, 1], "probability": pa.array([0.7, 0.5, 0.6], pa.float32())}
    )
    wrong = written(
        tmp_path, "wrong", {"id": ids, "probability": pa.array(probabilities, pa.float32())}
    )

    with pytest.raises(SystemExit, match=message):
        check_answers(right, wrong, "wrong", rows=3, compared_rows=3, agreement=PROBABILITIES)


@pytest.mark.parametrize(
    ("columns", "agreement", "message"),
    [
        (
            {"class": [1, 0, 2], "probability": [0.9, 0.9, 0.9]},
            CLASSES,
            "top-1 is 0.666667, must be at least 0.995",
        ),
        ({"embedding": [[1.0, 0.0], [0.0, 1.0], [1.0, 0.2]]}, EMBEDDINGS, "least cosine is 0.98"),
    ],
)
def test_a_class_or_a_direction_that_differs_fails(
    tmp_path: Path, columns: dict[str, Any], agreement: Agreement, message: str
) -> None:
    same = {
        "class": [1, 0, 1],
        "probability": [0.9, 0.8, 0.9],
        "embedding": [[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]],
    }
    right = written(tmp_path, "right", {"id": [0, 1, 2]} | {name: same[name] for name in columns})
    wrong = written(tmp_path, "wrong", {"id": [0, 1, 2]} | columns)

    with pytest.raises(SystemExit, match=message):
        check_answers(right, wrong, "wrong", rows=3, compared_rows=3, agreement=agreement)
    assert (
        check_answers(right, right, "right", rows=3, compared_rows=3, agreement=agreement).keys()
        == agreement.limits.keys()
    )


def test_a_right_answer_in_another_order_passes(tmp_path: Path) -> None:
    for name, ids in (("one", [0, 1, 2]), ("two", [2, 1, 0])):
        written(
            tmp_path, name, {"id": ids, "probability": pa.array([i / 4 for i in ids], pa.float32())}
        )

    figures = check_answers(
        tmp_path / "one", tmp_path / "two", "two", rows=3, compared_rows=3, agreement=PROBABILITIES
    )

    assert figures == {"largest difference": 0.0}


def test_ratios_are_of_neighbours_and_an_engine_is_given_its_start_up() -> None:
    def contender(rows: int, engine: bool, *runs: tuple[float, float]) -> Contender:
        return Contender(
            "any",
            lambda _: [],
            Shards(Path(), rows, 1),
            engine,
            [Run(whole, work, 0.0, 0) for whole, work in runs],
        )

    one = contender(100, False, (2.0, 1.0), (4.0, 2.0))
    loop, engine = (
        contender(100, False, (4.0, 3.0), (16.0, 14.0)),
        contender(10, True, (9.0, 2.0), (9.0, 4.0)),
    )

    assert ratios(one, loop) == pytest.approx([2.0, 4.0])
    assert work_ratios(one, loop) == pytest.approx([3.0, 7.0])
    assert ratios(one, engine) == pytest.approx([10.0, 10.0])
