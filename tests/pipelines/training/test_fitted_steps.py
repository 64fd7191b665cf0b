"""Steps and pictures in a whole training: what is fitted knows the training rows and their labels alone."""

from contextlib import redirect_stderr, redirect_stdout
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.decomposition import PCA
import yaml

from model_zoo.arrays import Arrays
from model_zoo.package.package import read_package
from model_zoo.training.augment import PictureAugment
from pipelines import train
from pipelines.cli.command_line import run_program
from tests.support.jobs import run_job

ROWS = 600
PARTS = np.repeat(["training", "validation", "test"], [400, 100, 100])


def make_rows() -> dict[str, Any]:
    """Training rows hang on `a` and `c`, all others on `b`, which selecting must not know."""
    random = np.random.default_rng(0)
    table: dict[str, Any] = {name: random.normal(size=ROWS) for name in "abcd"}
    told = table["a"] + table["c"]
    shown = np.where(PARTS == "training", told, table["b"])
    return {"id": np.arange(ROWS), **table, "shown": shown, "part": PARTS}


def run(folder: Path, fields: dict[str, Any], **columns: Any) -> tuple[int, str]:
    """Train, and return the status and what was said of errors."""
    pq.write_table(pa.table(columns), folder / "rows.parquet")
    job = {
        "data": {
            "paths": [str(folder / "rows.parquet")],
            "key": "id",
            "label": "label",
            "features": ["a", "b", "c", "d"],
        },
        "split": {"by": "fixed", "column": "part"},
        "training": {"epochs": 2, "batch_rows": 64},
        "report": False,
        "output": str(folder / "model"),
        **fields,
    }
    (folder / "job.yaml").write_text(yaml.safe_dump(job))
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run_program(train.main, ["--config", str(folder / "job.yaml")])
    return status, err.getvalue()


@pytest.mark.parametrize("method", ["mutual_information", "l1"])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_what_is_selected_tells_of_the_training_rows(
    tmp_path: Path, method: str, task: str
) -> None:
    rows = make_rows()
    shown = rows.pop("shown")
    label = np.where(shown > 0, "yes", "no") if task == "classification" else shown
    step = {"step": "select", "columns": list("abcd"), "into": "x", "method": method, "k": 2}
    status, error = run(tmp_path, {"preprocess": [step]}, **rows, label=label)
    assert status == 0, error
    (fitted, *_) = read_package(str(tmp_path / "model")).steps
    assert fitted.kept == ((0,), (), (0,), ())  # type: ignore[union-attr]
    # Scoring knows no label.
    scored = run_job(tmp_path / "model.job.yaml").scored()
    assert scored.num_rows == 100


def test_one_of_several_labels_is_enough(tmp_path: Path) -> None:
    rows = make_rows()
    del rows["shown"]
    flags = {name: (rows[name] > 0).astype(np.int64) for name in "ad"}
    labels = {f"is_{name}": values for name, values in flags.items()}
    step = {"step": "select", "columns": list("abcd"), "into": "x", "method": "l1", "k": 2}
    data = {
        "paths": [str(tmp_path / "rows.parquet")],
        "key": "id",
        "label": ["is_a", "is_d"],
        "features": ["a", "b", "c", "d"],
    }
    fields = {"preprocess": [step], "data": data, "task": "multi_label"}
    status, error = run(tmp_path, fields, **rows, **labels)
    assert status == 0, error
    (fitted, *_) = read_package(str(tmp_path / "model")).steps
    assert fitted.kept == ((0,), (), (), (0,))  # type: ignore[union-attr]


def test_components_are_those_of_the_training_rows(tmp_path: Path) -> None:
    rows = make_rows()
    label = np.where(rows.pop("shown") > 0, "yes", "no")
    # Far away, so that components of all rows would be others.
    rows["d"][400:] += 50
    step = {"step": "pca", "columns": list("abcd"), "into": "x", "variance": 0.7}
    status, error = run(tmp_path, {"preprocess": [step]}, **rows, label=label)
    assert status == 0, error
    matrix = np.column_stack([rows[name] for name in "abcd"])[:400]
    expected = PCA(0.7).fit(matrix)
    (fitted, *_) = read_package(str(tmp_path / "model")).steps
    np.testing.assert_allclose(fitted.axes, expected.components_, atol=1e-9)  # type: ignore[union-attr]
    np.testing.assert_allclose(fitted.mean, expected.mean_, atol=1e-9)  # type: ignore[union-attr]


@pytest.mark.slow
def test_pictures_are_varied_in_training_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torchvision")
    varied: list[int] = []
    vary = PictureAugment.__call__

    def watch(self: PictureAugment, inputs: Arrays, draw: np.random.Generator) -> Arrays:
        varied.append(len(inputs["image"]))
        return vary(self, inputs, draw)

    monkeypatch.setattr(PictureAugment, "__call__", watch)
    weights = []
    for name, augment in (("plain", "null"), ("varied", "{noise: 0.2}"), ("again", "{noise: 0.2}")):
        flags = ["--config", "configs/train_digits.yaml", "--quiet", "--set", "training.epochs=2"]
        flags += ["--set", "held_out=null", "--set", "report=false"]
        flags += ["--set", f"training.augment={augment}", "--output", str(tmp_path / name)]
        with redirect_stdout(io.StringIO()):
            assert run_program(train.main, flags) == 0
        weights.append((tmp_path / name / "weights.safetensors").read_bytes())
    plain, first, again = weights
    assert first == again != plain
    # Two epochs of the training rows, twice, and no row of another part.
    rows = pq.read_table(tmp_path / "plain.held_out/labels.parquet").num_rows
    training = math.floor((1797 - rows) * (1 - 0.15 / 0.75))
    assert sum(varied) == 4 * training
