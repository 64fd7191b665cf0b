"""Libraries' own files, through the program: a row that fails costs itself, and a child that dies costs the run one line."""

from collections.abc import Callable
import os
from pathlib import Path
import signal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from model_zoo.engines import native_engine
from model_zoo.engines.child.process import ChildProcess
from model_zoo.package.package import SMOKE, write_package
from model_zoo.steps.stack import Stack
from model_zoo.tensor_columns import to_column
from tests.bad_rows.engines import Install
from tests.bad_rows.networks import failing_on
from tests.bad_rows.own_files import ENGINES, FORMS, OwnFile, make_own_file, make_rows
from tests.bad_rows.spoilt_job import COLUMNS, write_hundreds, write_shard
from tests.faults.counts import full_or
from tests.support.builders import FEATURES, parquet, tiny_card
from tests.support.jobs import Outcome, write_job

pytestmark = pytest.mark.program
# Each engine's child is started for real by one test, and forked for the others.
forked = pytest.mark.usefixtures("forked_children")
Run = Callable[..., Outcome]
on_native_engines = pytest.mark.parametrize("engine", ENGINES, indirect=True)
PROCESSES = "--direct_running_mode=multi_processing"


def write_own_package(
    folder: Path, engine: str, own: OwnFile, content: bytes, name: str, width: int = 3
) -> None:
    """Write the package of a library's file, and its job.

    Args:
        folder: of the job.
        engine: that reads the file.
        own: the model, which says what the smoke batch gives.
        content: in place of the model's own.
        name: of the package.
        width: how many numbers the card says that it takes.
    """
    smoke, _ = make_rows()
    smoke = smoke[:4]
    columns: dict[str, Any] = dict(zip(FEATURES, smoke.T, strict=True))
    columns["input.x"] = to_column(np.resize(smoke, (4, width)))
    columns[f"output.{own.output}"] = own.predict(smoke)
    card = tiny_card(activation="none", labels=[], columns=COLUMNS)
    del card["builder"], card["parameters"]
    card["forms"] = {FORMS.get(engine, engine): "model.own"}
    card["inputs"] = {"x": {"dtype": "float32", "shape": [width]}}
    card["outputs"] = {own.output: {"dtype": "float32", "shape": []}}
    contents = {"model.own": content, SMOKE: parquet(pa.table(columns))}
    steps = (Stack(step="stack", columns=FEATURES[:width], into="x"),)
    package = folder / name
    write_package(str(package), card, steps, contents)
    source = {"passthrough": ["id"]}
    write_job(folder, package, source=source, model={"batch_rows": 64})


@pytest.fixture
def own(engine: str) -> OwnFile:
    """The model of a library."""
    return make_own_file(engine)


@pytest.fixture
def folder(tmp_path: Path, engine: str, own: OwnFile) -> Path:
    """Where that model's package, its shards and its job are."""
    write_own_package(tmp_path, engine, own, own.content, "model")
    write_hundreds(tmp_path)
    return tmp_path


def check_scores(outcome: Outcome, folder: Path, own: OwnFile, rejected: list[int]) -> None:
    """Compare the scores of all other rows with the library's own."""
    tables = [pq.read_table(path) for path in sorted((folder / "shards").iterdir())]
    rows = pa.concat_tables(tables)
    x = np.column_stack([rows[name].to_numpy() for name in FEATURES])
    expected = own.predict(np.delete(x, rejected, axis=0))
    scores = outcome.scored()[own.output].to_numpy()
    # Each row alone is as it is among others: trees add up nothing over rows.
    np.testing.assert_allclose(scores, expected, rtol=own.digits, atol=own.digits)


@forked
@on_native_engines
def test_a_row_that_fails_costs_itself(
    folder: Path, run: Run, install: Install, own: OwnFile
) -> None:
    install(failing_on(3, 250))
    outcome = run("--set", "errors.max_rejected_rows=10")
    assert [record["key"] for record in outcome.rejected()] == ["k3", "k250"]
    check_scores(outcome, folder, own, [3, 250])


@on_native_engines
def test_a_row_that_the_library_cannot_score_costs_itself(
    folder: Path, run: Run, own: OwnFile
) -> None:
    numbers = np.arange(100)
    holes = np.where(numbers == 7, np.inf, numbers / 3)
    write_shard(folder / "shards/0.parquet", numbers, b=pa.array(np.float32(holes)))
    outcome = run("--set", "errors.max_rejected_rows=10")
    expected = [] if own.takes_infinity else [7]
    assert [record["key"] for record in outcome.rejected()] == [f"k{row}" for row in expected]
    check_scores(outcome, folder, own, expected)


@forked
@on_native_engines
def test_shards_without_rows_have_no_scores(folder: Path, run: Run, own: OwnFile) -> None:
    write_shard(folder / "shards/2.parquet", np.arange(0))
    check_scores(run(), folder, own, [])
    for shard in range(4):
        write_shard(folder / f"shards/{shard}.parquet", np.arange(0))
    assert run(output="none").scored().num_rows == 0


@forked
@on_native_engines
def test_a_child_that_dies_ends_the_run_and_the_same_command_resumes(
    folder: Path, run: Run, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[ChildProcess] = []
    start = native_engine.start_child

    def start_and_tell(*given: Any, **named: Any) -> ChildProcess:
        children.append(start(*given, **named))
        return children[-1]

    def kill(x: torch.Tensor, answer: dict[str, torch.Tensor]) -> Any:
        os.kill(children[-1].pid, signal.SIGKILL)
        return answer

    monkeypatch.setattr(native_engine, "start_child", start_and_tell)
    install(kill)
    # No fault of the file's, which may end well when it is run again.
    ended = "model.own: the process that computes it was ended by SIGKILL from outside"
    run().refused(ended, "run again to resume", status=1)
    install(lambda x, answer: answer)
    assert run().scored()["id"].to_pylist() == [f"k{number}" for number in range(400)]


@forked
@on_native_engines
def test_the_file_of_another_library_is_refused_in_one_line(
    folder: Path, run: Run, engine: str, own: OwnFile
) -> None:
    other = make_own_file("xgboost" if engine == "litert" else "litert")
    write_own_package(folder, engine, own, other.content, "other")
    # Some libraries look at what they are given, and others end their process.
    run().refused(f"{folder}/other/model.own: ", "pack the model again", status=3)


@forked
@on_native_engines
def test_a_file_that_takes_other_numbers_than_the_card_says_is_refused_in_one_line(
    folder: Path, run: Run, engine: str, own: OwnFile
) -> None:
    write_own_package(folder, engine, own, own.content, "narrow", width=2)
    run().refused(f"{folder}/narrow", status=3)


@pytest.mark.beam
@pytest.mark.slow
@pytest.mark.usefixtures("forked_workers", "forked_children")
@on_native_engines
def test_any_number_of_workers_writes_the_same_bytes(folder: Path, run: Run, engine: str) -> None:
    numbers = np.arange(100)
    holes = np.where(numbers == 7, np.nan, numbers / 3)
    write_shard(folder / "shards/0.parquet", numbers, b=pa.array(np.float32(holes)))
    flags = ["--set", "source.rows_per_batch=40", "--set", "errors.max_rejected_rows=10"]
    # Processes begin in the same way for each: one engine shows that they do.
    if engine == "xgboost":
        flags.append(PROCESSES)
    expected = run(*flags, "--direct_num_workers=1", output="one").read_files()
    assert len(expected) > 4
    for workers in full_or((3,), (2, 4)):
        outcome = run(*flags, f"--direct_num_workers={workers}", output=f"workers{workers}")
        assert outcome.read_files() == expected
