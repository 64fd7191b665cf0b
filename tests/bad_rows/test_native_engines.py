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
from tests.bad_rows.spoilt_job import COLUMNS, write_hundreds
from tests.support.builders import FEATURES, parquet, tiny_card
from tests.support.jobs import Outcome, write_job

pytestmark = pytest.mark.program
on_native_engines = pytest.mark.parametrize("engine", ["xgboost", "lightgbm"], indirect=True)
Predict = Callable[[np.ndarray], np.ndarray]


def train_xgboost() -> tuple[bytes, Predict]:
    import xgboost

    x, target = make_rows()
    booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(x, target), 3)
    content = bytes(booster.save_raw("ubj"))
    return content, lambda rows: booster.inplace_predict(rows, predict_type="margin")


def train_lightgbm() -> tuple[bytes, Predict]:
    import lightgbm

    x, target = make_rows()
    booster = lightgbm.train({"verbosity": -1}, lightgbm.Dataset(x, target), 3)
    content = booster.model_to_string().encode()
    return content, lambda rows: np.float32(booster.predict(rows, raw_score=True))


TRAIN = {"xgboost": train_xgboost, "lightgbm": train_lightgbm}


def make_rows() -> tuple[np.ndarray, np.ndarray]:
    """Return rows whose first numbers are not whole, as those of smoke batches, and their targets."""
    random = np.random.default_rng(0)
    x = random.uniform(0.1, 399.9, (500, 3)).astype(np.float32)
    return x, x[:, 0] / 100


@pytest.fixture
def predict(engine: str, tmp_path: Path) -> Predict:
    """Write package and job of a model, and return what the library itself makes of rows."""
    content, predict_rows = TRAIN[engine]()
    smoke, _ = make_rows()
    smoke = smoke[:4]
    columns: dict[str, Any] = dict(zip(FEATURES, smoke.T, strict=True))
    columns["input.x"] = to_column(smoke)
    columns["output.margin"] = predict_rows(smoke)
    card = tiny_card(activation="none", labels=[], columns=COLUMNS)
    del card["builder"], card["parameters"]
    card["forms"] = {engine: "model.own"}
    card["outputs"] = {"margin": {"dtype": "float32", "shape": []}}
    contents = {"model.own": content, SMOKE: parquet(pa.table(columns))}
    steps = (Stack(step="stack", columns=FEATURES, into="x"),)
    package = tmp_path / "model"
    write_package(str(package), card, steps, contents)
    source = {"passthrough": ["id"]}
    write_job(tmp_path, package, source=source, model={"batch_rows": 64})
    return predict_rows


@pytest.fixture
def folder(tmp_path: Path, predict: Predict) -> Path:
    """Where that package, its shards and its job are."""
    write_hundreds(tmp_path)
    return tmp_path


@on_native_engines
def test_a_row_that_fails_costs_itself(
    folder: Path, run: Callable[..., Outcome], install: Install, predict: Predict
) -> None:
    install(failing_on(3, 250))
    outcome = run("--set", "errors.max_rejected_rows=10")
    assert [record["key"] for record in outcome.rejected()] == ["k3", "k250"]
    tables = [pq.read_table(path) for path in sorted((folder / "shards").iterdir())]
    rows = pa.concat_tables(tables)
    x = np.column_stack([rows[name].to_numpy() for name in FEATURES])
    # Each row alone is as it is among others: trees add up nothing over rows.
    expected = np.delete(predict(x), [3, 250])
    np.testing.assert_array_equal(outcome.scored()["margin"].to_numpy(), expected)


@on_native_engines
def test_a_child_that_dies_ends_the_run_and_the_same_command_resumes(
    folder: Path,
    run: Callable[..., Outcome],
    install: Install,
    monkeypatch: pytest.MonkeyPatch,
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
