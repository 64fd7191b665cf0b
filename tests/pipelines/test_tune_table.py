"""What pipelines.tune shows and leaves of what its search has found, without a search."""

from collections.abc import Callable, Sequence
import json
from pathlib import Path
from typing import Any

import pytest

from model_zoo.engines.machine import cores
from model_zoo.engines.settings import Settings
from model_zoo.evaluation.agreement import Agreement
from model_zoo.scoring.devices import threads_for
from pipelines import tune
from pipelines.cli.command_line import run_program
from pipelines.tuning.measured import Measured
from pipelines.tuning.search import Search
from pipelines.tuning.table import COLUMNS, make_cells, make_line
from pipelines.tuning.turns import Comparison

SAME = Agreement(143, 0.0, 1.0, None)
FLOAT32 = Measured(Settings(64), 1000.0, agreement=SAME)
RunTune = Callable[..., dict[str, Any]]


@pytest.fixture
def run_tune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunTune:
    """Run the program with a search that ends so, and return what the steps were told, and the report."""
    told: dict[str, Any] = {}

    def run(best: Measured, *flags: str, turns: Sequence[Measured] = ()) -> dict[str, Any]:
        def find_best(
            search: Search, batch_rows: int, fixed: bool, without: Sequence[str]
        ) -> Comparison:
            told.update(batch_rows=batch_rows, fixed=fixed, without=without)
            told["sample_rows"] = search.trials.bench.sample.rows
            for measured in (FLOAT32, best):
                search.trials.note(measured)
            return Comparison([best, FLOAT32], list(turns))

        monkeypatch.setattr(Search, "find_best", find_best)
        report = tmp_path / "report.json"
        words = ["--set", f"model.tuning_report={report}", "--set", "model.dtype=auto"]
        assert run_program(tune.main, [*words, *flags]) == 0
        return {**told, "report": json.loads(report.read_text())}

    return run


def test_the_search_begins_with_the_job_s_own_rows_of_a_mini_batch_or_the_default(
    run_tune: RunTune,
) -> None:
    own = run_tune(FLOAT32, "--set", "model.batch_rows=48", "--without", "compile")
    assert (own["batch_rows"], own["fixed"], own["without"]) == (48, True, ["compile"])
    default = run_tune(FLOAT32, "--set", "model.batch_rows=null")
    # 30 numbers of 4 bytes are 120; of 512 KiB that makes 4 369, and 4 096 are the most.
    assert (default["batch_rows"], default["fixed"], default["without"]) == (4096, False, [])


@pytest.mark.parametrize(
    ("best", "speed_up", "workers"),
    [
        (Measured(Settings(64, "bfloat16"), 2500.0, 2.5, SAME, workers=1), 2.5, 1),
        (FLOAT32, 1.0, cores()),
        (Measured(Settings(64), None, None, SAME), 1.0, cores()),
    ],
)
def test_the_report_says_how_fast_the_best_is(
    best: Measured, speed_up: float, workers: int, run_tune: RunTune
) -> None:
    """Where nobody knows, no gain is a gain of one, and there is a worker per core."""
    report = run_tune(best, "--quiet")["report"]
    assert (report["speed_up"], report["workers"]) == (speed_up, workers)
    assert report["rows_per_second"] == (best.rows_per_second or 0.0)
    assert report["settings"]["dtype"] == best.settings.dtype
    assert [tried["rows_per_second"] for tried in report["tried"]] == [1000.0, best.rows_per_second]
    assert report["tried"][0]["agreement"]["rows"] == 143
    [next_best] = report["next_best"]
    assert next_best["workers"] == cores()


def test_people_and_the_report_are_told_all_that_took_turns(
    run_tune: RunTune, capsys: pytest.CaptureFixture[str]
) -> None:
    best = Measured(Settings(64, "bfloat16"), 2500.0, 2.5, SAME, workers=1, rounds=5)
    slower = Measured(Settings(64), 1234.5, 1.0, SAME, workers=2, rounds=3)
    report = run_tune(best, turns=[best, slower])["report"]
    threads = threads_for(1)
    out = capsys.readouterr().out
    assert "tuning breast_cancer on at most 143 rows" in out
    shown = f"with preprocessing, 1 workers x {threads} threads, torch bfloat16, mini-batches of 64"
    assert f"{shown}: 2,500 rows/s, 2.50 times as fast, in 5 turns" in out
    assert "torch float32, mini-batches of 64: 1,234 rows/s, 1.00 times as fast, in 3 turns" in out
    assert "fastest: torch bfloat16, mini-batches of 64, 1 workers x" in out
    assert "2.50 times as fast as float32, eager" in out
    assert "certificate" not in out
    fastest, other = report["compared"]
    assert fastest == {
        "engine": "torch",
        "settings": "bfloat16",
        "batch_rows": 64,
        "workers": 1,
        "threads": threads,
        "rounds": 5,
        "rows_per_second": 2500.0,
        "speed_up": 2.5,
    }
    assert (other["settings"], other["workers"], other["rounds"]) == ("float32", 2, 3)
    run_tune(best, "--quiet")
    assert capsys.readouterr().out == ""


def test_the_old_name_of_the_report_is_told_to_people(
    run_tune: RunTune, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = [
        "--set",
        "model.tuning_report=null",
        "--set",
        f"model.certificate={tmp_path}/report.json",
    ]
    run_tune(FLOAT32, *old)
    assert "model.certificate is called model.tuning_report now" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("measured", "cells"),
    [
        (FLOAT32, ["1:02", "torch", "float32", "64", "1,000", "1.00", "0", "1.0000", "-", ""]),
        (
            Measured(Settings(4096, "int8"), 2500.4, None, Agreement(9, 0.01234, None, -0.5), "x"),
            ["1:02", "torch", "int8", "4,096", "2,500", "2.50", "0.012", "-", "-0.500000", "x"],
        ),
        (
            Measured(Settings(64, "float16"), problem="no such units"),
            ["1:02", "torch", "float16", "64", "-", "-", "-", "-", "-", "no such units"],
        ),
    ],
)
def test_a_line_of_the_table_shows_what_is_known(measured: Measured, cells: list[str]) -> None:
    assert make_cells(measured, FLOAT32, 62.9) == cells
    unknown = Measured(Settings(64))
    assert make_cells(measured, unknown, 62.9)[5] == "-"


def test_words_stand_to_the_left_and_numbers_end_below_their_heads() -> None:
    agreement = Agreement(9, 0.01234, 0.5, -0.5)
    of_graph = Settings(4096, "int8", engine="onnxruntime")
    cells = make_cells(Measured(of_graph, 1e6, None, agreement), FLOAT32, 5.0)
    assert cells[1:3] == ["onnxruntime", "int8"]
    long_name = [
        *cells[:2],
        "bfloat16 channels_last compiled",
        *cells[3:-1],
        "beyond the tolerance",
    ]
    heads = make_line(COLUMNS)
    lines = [make_line(row) for row in (cells, long_name)]
    for head, cell in zip(COLUMNS[3:-1], cells[3:-1], strict=True):
        end = heads.index(head) + len(head)
        assert all(line[:end].endswith(f" {cell}") for line in lines)
    assert heads.startswith(" time  engine       setting ")
    assert lines[0].startswith(" 0:05  onnxruntime  int8 ")
    assert lines[0] == lines[0].rstrip()
    assert lines[1].endswith("  beyond the tolerance")


def test_a_sample_has_131_072_rows_unless_somebody_says_how_many(
    run_tune: RunTune, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune._parse([]).rows == 131_072
    assert tune._parse(["--rows", "1"]).rows == 1
    # Whole batches of several shards.
    assert 100 <= run_tune(FLOAT32, "--rows", "100")["sample_rows"] < 143
    assert tune._parse(["--rows_per_night", "1"]).rows_per_night == 1
    for flag in ("--rows", "--rows_per_night"):
        assert run_program(tune.main, [flag, "0"]) == 2
        assert f"{flag} must be >= 1, got 0" in capsys.readouterr().err
