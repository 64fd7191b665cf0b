"""Preprocessing must give what training gave, to the last digits; a user's function must be allowed."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError, ModelError
from model_zoo.package.card import OnnxFiles
from model_zoo.package.package import SMOKE, Package, read_package
from model_zoo.steps.function import Function
from pipelines.planning.model_checks import check_preprocessing, check_users_code
from tests.pipelines.planning.cards import make_job
from tests.support.builders import FEATURES, parquet, tiny_package


def package_of(folder: Path, value: float, stored: float, **card: Any) -> Package:
    """Return a package whose smoke batch has this value, of which training has made another."""
    columns = {name: np.array([0.5, value], dtype=np.float32) for name in FEATURES}
    inputs = np.stack(list(columns.values()), axis=1)
    inputs[1, 2] = stored
    stacked = pa.FixedSizeListArray.from_arrays(pa.array(inputs.reshape(-1)), len(FEATURES))
    table = pa.table({**columns, "input.x": stacked, "output.logit": np.zeros(2, np.float32)})
    return read_package(tiny_package(folder / "model", contents={SMOKE: parquet(table)}, **card))


@pytest.mark.parametrize(
    ("value", "stored"), [(100.0, 100.0), (100.0, 100.0009), (100.0, 99.9991), (0.0, 9e-7)]
)
def test_a_last_digit_that_is_rounded_otherwise_is_fine(
    value: float, stored: float, tmp_path: Path
) -> None:
    check_preprocessing(package_of(tmp_path, value, stored))


@pytest.mark.parametrize(
    ("value", "stored"),
    [(100.0, 100.002), (100.0, 101.5), (0.0, 2e-6), (0.0, 0.5), (0.0, float("nan"))],
)
def test_other_values_than_in_training_are_refused(
    value: float, stored: float, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="gives other values of x than in training"):
        check_preprocessing(package_of(tmp_path, value, stored))


def test_a_missing_value_that_stays_one_is_what_training_had(tmp_path: Path) -> None:
    kept = {"type": "float", "missing": "fill", "fill": float("nan")}
    columns = [{"name": name, **kept} for name in FEATURES]
    nan = float("nan")
    check_preprocessing(package_of(tmp_path, nan, nan, columns=columns))
    with pytest.raises(ModelError, match="gives other values of x than in training"):
        check_preprocessing(package_of(tmp_path / "other", nan, 0.5, columns=columns))


def test_a_package_s_function_must_be_of_a_module_that_the_job_lists(tmp_path: Path) -> None:
    step = Function(step="function", function="my_steps:f")
    package = read_package(tiny_package(tmp_path / "model"))
    with_function = Package(**{**vars(package), "steps": (*package.steps, step)})
    check_users_code(make_job(tmp_path), package)
    check_users_code(make_job(tmp_path, preprocess={"modules": ["my_steps"]}), with_function)
    with pytest.raises(JobError, match=r"calls my_steps:f; list my_steps in preprocess\.modules"):
        check_users_code(make_job(tmp_path, preprocess={"modules": ["others"]}), with_function)


def test_a_network_s_module_must_be_listed_unless_an_engine_of_its_graph_is_named(
    tmp_path: Path,
) -> None:
    """What a graph is computed by runs nothing of the network."""
    package = read_package(tiny_package(tmp_path / "model"))
    changes = {"builder": "my_nets:Net", "onnx": OnnxFiles()}
    other = Package(**{**vars(package), "card": package.card.model_copy(update=changes)})
    for engine in ("auto", "torch"):
        with pytest.raises(JobError, match=r"list my_nets in model\.modules"):
            check_users_code(make_job(tmp_path, model={"engine": engine}), other)
    check_users_code(make_job(tmp_path, model={"engine": "onnxruntime"}), other)
