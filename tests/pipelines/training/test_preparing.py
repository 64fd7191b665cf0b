"""Training on columns with missing values: what fills them is fitted on the training rows alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from configs.errors import JobError
from model_zoo.package.package import read_package
from model_zoo.training import datasets
from pipelines import train
from pipelines.cli.command_line import run_program
from pipelines.training.described import to_packaging
from pipelines.training.fitting_job import FittingJob
from pipelines.training.network_sizes import Outputs
from pipelines.training.prepared import Packaging, Part
from pipelines.training.preparing import _ROW, _choose_taken, _find_target, _name_stack, _name_taken
from pipelines.training.preparing import prepare as prepare_network
from pipelines.training.reading import read_source
from pipelines.training.understanding import list_parts, understand

NAMES = [name for name in datasets.breast_cancer().column_names if name not in ("id", "diagnosis")]
CONFIG = "configs/train_breast_cancer.yaml"
STACK = {"step": "stack", "columns": "all", "into": "x", "dtype": "float64"}
SHORT = [
    {"step": "fill", "columns": "all", "strategy": "median"},
    {"step": "standardise", "columns": "all"},
    STACK,
]


@pytest.fixture(autouse=True)
def tumours_with_holes(monkeypatch: pytest.MonkeyPatch) -> pa.Table:
    """The measurements, a tenth of which nobody took; some as null and some as NaN."""
    table = datasets.breast_cancer()
    random = np.random.default_rng(0)
    for place, name in enumerate(NAMES, start=1):
        values = table.column(name).to_numpy().copy()
        values[random.random(len(values)) < 0.05] = np.nan
        is_null = random.random(len(values)) < 0.05
        table = table.set_column(place, name, pa.array(values, mask=is_null, from_pandas=False))
    monkeypatch.setitem(datasets.DATASETS, "breast_cancer", lambda: table)
    return table


def job(steps: list[dict[str, Any]] = SHORT, **data: Any) -> FittingJob:
    return FittingJob.model_validate(
        {
            "name": "tumours",
            "version": 1,
            "data": {
                "dataset": "breast_cancer",
                "key": "id",
                "label": "diagnosis",
                "labels": ["benign", "malignant"],
                **data,
            },
            "preprocess": steps,
            "network": {
                "builder": "mlp",
                "parameters": {"hidden": [2]},
                "inputs": ["x"],
                "activation": "sigmoid",
            },
            "output": "out",
        }
    )


def prepare(whole: FittingJob) -> list[Part]:
    """Training, validation and test, as the network takes them."""
    understood = understand(whole, read_source(whole.data))
    parts = understood.places.parts
    targets = {name: understood.labelled.targets[rows] for name, rows in parts.items()}
    job = to_packaging(understood.job)
    return list(
        prepare_network(job, Outputs(1, 2), list_parts(understood), targets, 0).parts.values()
    )


def to_matrix(table: pa.Table) -> np.ndarray:
    columns = [table.column(name).to_numpy(zero_copy_only=False) for name in NAMES]
    return np.column_stack(columns)


@pytest.mark.parametrize("strategy", ["median", "mean", "most_frequent"])
def test_what_fills_is_fitted_on_the_training_rows_alone(strategy: str) -> None:
    steps = [{**SHORT[0], "strategy": strategy}, *SHORT[1:]]
    whole = job(steps)
    parts = prepare(whole)
    reference = make_pipeline(SimpleImputer(strategy=strategy), StandardScaler())
    reference.fit(to_matrix(parts[0].rows))
    for part in parts:
        expected = reference.transform(to_matrix(part.rows))
        np.testing.assert_allclose(part.examples.inputs["x"], expected, rtol=1e-6, atol=1e-6)


def test_one_constant_fills_every_column() -> None:
    whole = job([{"step": "fill", "columns": "all", "values": [0.0]}, STACK], missing="error")
    parts = prepare(whole)
    expected = np.nan_to_num(to_matrix(parts[0].rows))
    np.testing.assert_allclose(parts[0].examples.inputs["x"], expected, rtol=1e-6)


def test_the_package_says_what_training_did(tmp_path: Path) -> None:
    steps = "preprocess=[{step: fill, columns: all, strategy: median}, {step: standardise, columns: all}, {step: stack, columns: all, into: x}]"
    flags = ["--set", steps, "--set", "training.epochs=1", "--set", "data.missing=fill"]
    assert run_program(train.main, ["--config", CONFIG, "--output", str(tmp_path / "model"), "--quiet", *flags]) == 0  # fmt: skip
    package = read_package(str(tmp_path / "model"))
    assert {column.missing for column in package.card.columns} == {"fill"}
    assert package.steps[0].columns == tuple(NAMES)  # type: ignore[union-attr]


def test_a_missing_value_that_nothing_fills_is_no_training_row() -> None:
    named = job(missing={"default": "fill", "mean area": "error"})
    with pytest.raises(
        JobError, match="column 'mean area' has 27 missing values, and missing is error"
    ):
        prepare(named)


def test_a_name_that_is_no_column_is_refused() -> None:
    with pytest.raises(JobError, match="no column 'mean aera'; did you mean mean area"):
        prepare(job(missing={"mean aera": "fill"}))


@pytest.mark.parametrize(
    ("shorter", "said", "lengths"),
    [
        ("pad", {}, {"readings": 4}),
        # Nothing is padded, so no length is needed to make fewer rows show the same.
        ("reject", {}, {}),
        ("pad", {"readings": 6}, {"readings": 6}),
    ],
)
def test_the_length_that_lists_are_padded_to_is_kept(
    shorter: str, said: dict[str, int], lengths: dict[str, int]
) -> None:
    pad = {"step": "pad", "column": "readings", "shape": [4], "shorter": shorter, "into": "x"}
    whole = Packaging.model_validate(
        {
            "name": "lists",
            "network": "mlp",
            "parameters": {"hidden": [2]},
            "columns": ["readings"],
            "lengths": said,
            "preprocess": [pad],
            "inputs": {"x": "x"},
            "output": "out",
        }
    )
    rows = pa.table({"readings": [[0.5, 1.0, 1.5, 2.0]] * 6})
    targets = np.arange(6) % 2
    prepared = prepare_network(
        whole, Outputs(1, 2), {"training": rows}, {"training": targets}, seed=0
    )
    assert prepared.packaging.lengths == lengths


@pytest.mark.parametrize(
    ("inputs", "columns", "names"),
    [
        ({"a": "age"}, ["age", "x"], ["age"]),
        ({"a": ("age", "sex")}, ["age", "sex", "x"], ["age", "sex"]),
        # What a stack has made is taken, and without one all columns but masks.
        ({}, ["age", "x"], ["x"]),
        ({}, ["age", "words", "words_mask"], ["age", "words"]),
        ({"a": "age", "b": "sex"}, ["age", "sex", "x"], ["x"]),
        ({"a": "age", "b": "sex"}, ["age", "sex"], ["age", "sex"]),
    ],
)
def test_a_network_of_one_argument_takes(
    inputs: dict[str, Any], columns: list[str], names: list[str]
) -> None:
    packaging: Any = SimpleNamespace(inputs=inputs)
    assert list(_name_taken(packaging, columns)) == names
    by_name: dict[str, object] = {name: name.upper() for name in columns}
    assert _choose_taken(packaging, by_name) == {name: name.upper() for name in names}
    # Of what is not there nothing is given.
    assert _choose_taken(packaging, {}) == {}


class _OfOne(nn.Module):
    """Takes one argument."""

    def forward(self, features: Any) -> Any: ...


class _OfTwo(nn.Module):
    """Takes two."""

    def forward(self, features: Any, others: Any) -> Any: ...


@pytest.mark.parametrize(
    ("network", "columns", "named"),
    [
        (_OfOne(), ["x", "age"], {"features": "x"}),
        (_OfOne(), ["age"], {}),
        (_OfOne(), ["x", "features"], {}),
        (_OfTwo(), ["x"], {}),
    ],
)
def test_a_stack_goes_into_the_only_argument(
    network: nn.Module, columns: list[str], named: dict[str, str]
) -> None:
    assert _name_stack(network, dict.fromkeys(columns)) == named


@pytest.mark.parametrize(
    ("task", "is_told"),
    [("classification", True), ("multi_label", True), ("regression", True), ("embedding", False)],
)
def test_steps_are_told_what_is_to_be_predicted_of_the_rows_that_are_kept(
    task: str, is_told: bool
) -> None:
    job: Any = SimpleNamespace(task=task)
    kept = pa.table({_ROW: [2, 0]})
    found = _find_target(job, kept, np.array([5, 6, 7]))
    assert (found is not None) is is_told
    if found is not None:
        assert found.task == task
        assert found.values.tolist() == [7, 5]
