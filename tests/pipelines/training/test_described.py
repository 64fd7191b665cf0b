"""How a training names its model and its files, and what packing is told of missing values."""

from typing import Any

import pytest
import yaml

from pipelines.training.described import (
    describe_job,
    held_out_folder,
    name_model,
    to_packaging,
)
from pipelines.training.fitting_job import FittingJob

OWN_ROWS = {"paths": ["rows.csv"], "key": "id", "label": "y", "labels": ["a", "b"]}
BUNDLED = {"dataset": "breast_cancer", "key": "id", "label": "diagnosis"}


def job(data: dict[str, Any] = OWN_ROWS, **fields: Any) -> FittingJob:
    network = {"builder": "mlp", "parameters": {"hidden": [2]}, "inputs": ["x"]}
    steps = [{"step": "stack", "columns": ["x"], "into": "x"}]
    usual = {"data": data, "network": network, "preprocess": steps, "output": "models/churn/7"}
    return FittingJob.model_validate({**usual, **fields})


@pytest.mark.parametrize(
    ("fields", "name", "version"),
    [
        ({}, "churn", "7"),
        ({"output": "models/churn/7/"}, "churn", "7"),
        ({"output": "churn"}, "churn", "1"),
        ({"output": "models/churn"}, "churn", "1"),
        # There is nothing above that could be its name.
        ({"output": "7"}, "7", "1"),
        ({"output": "models/ch urn*/7"}, "ch-urn", "7"),
        ({"output": "models/***/7"}, "model", "7"),
        ({"name": "mine"}, "mine", "7"),
        ({"version": "2b"}, "churn", "2b"),
        ({"name": "mine", "version": "2b"}, "mine", "2b"),
    ],
)
def test_a_model_is_called_as_its_folder_unless_the_job_says_so(
    fields: dict[str, Any], name: str, version: str
) -> None:
    named = name_model(job(**fields))
    assert (named.name, named.version) == (name, version)


@pytest.mark.parametrize(
    ("fields", "folder"),
    [
        ({}, "models/churn/7.held_out"),
        ({"output": "models/churn/7/"}, "models/churn/7.held_out"),
        ({"held_out": "elsewhere"}, "elsewhere"),
    ],
)
def test_held_out_rows_stand_beside_the_package_unless_the_job_says_where(
    fields: dict[str, Any], folder: str
) -> None:
    assert held_out_folder(job(**fields)) == folder


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        # A table of one's own may have missing values some day; a bundled data set has none.
        (OWN_ROWS, {"default": "reject"}),
        (BUNDLED, {"default": "error"}),
        ({**OWN_ROWS, "missing": {"x": "fill"}, "fill": {"x": 0}}, {"x": "fill"}),
        ({**BUNDLED, "missing": {"default": "reject"}}, {"default": "reject"}),
    ],
)
def test_what_missing_values_do_is_what_the_job_says_or_what_suits_the_rows(
    data: dict[str, Any], missing: dict[str, str]
) -> None:
    packaging = to_packaging(job(data, name="churn", version="7"))
    assert dict(packaging.missing) == missing


@pytest.mark.parametrize(
    ("network", "told"), [({"builder": "gru"}, "gru"), ({"builder": "mlp"}, "mlp"), ({}, "")]
)
def test_packing_is_told_the_network_once_it_is_known(network: dict[str, str], told: str) -> None:
    packaging = to_packaging(job(network=network, name="churn", version="7"))
    assert packaging.network == told


@pytest.mark.parametrize(("label", "told"), [("y", "y"), (["y"], "y"), (["y", "z"], None)], ids=str)
def test_packing_is_told_the_label_where_it_is_one(label: Any, told: str | None) -> None:
    fields: dict[str, Any] = {"data": {**OWN_ROWS, "label": label}}
    if told is None:
        fields["task"] = "multi_label"
    packaging = to_packaging(job(**fields, name="churn", version="7"))
    assert packaging.label == told


@pytest.mark.parametrize(
    ("output", "following"),
    [("models/churn/7", "models/churn/8"), ("churn", "churn_2"), ("9", "10"), ("m/v7", "m/v7_2")],
)
def test_a_jobs_file_says_how_to_train_the_next_version(output: str, following: str) -> None:
    whole = name_model(job(output=output))
    text = describe_job(whole, whole)
    assert f"--config {output}.train.yaml --output {following}\n" in text
    assert yaml.safe_load(text)["data"]["key"] == "id"
