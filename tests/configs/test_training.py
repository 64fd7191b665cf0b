from typing import Any

from pydantic import ValidationError
import pytest

from configs.errors import JobError
from configs.load import load
from configs.recipe import Training
from pipelines.training.fitting_job import FittingJob
from tests.support.repository import REPOSITORY

EXAMPLES = sorted(
    str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("configs/train_*.yaml")
)


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "name": "t",
        "version": "1",
        "data": {"dataset": "digits", "key": "id", "label": "digit", "labels": ["0", "1"]},
        "preprocess": [{"step": "stack", "columns": ["a"], "into": "x"}],
        "network": {"builder": "mlp", "parameters": {}, "inputs": ["x"], "activation": "sigmoid"},
        "output": "out",
        **changes,
    }


@pytest.mark.parametrize("path", EXAMPLES)
def test_examples_open_with_the_command_that_runs_them(path: str) -> None:
    with open(path) as file:
        assert file.readline().startswith(f"# python -m pipelines.train --config {path}")
    job = load(FittingJob, path)
    fitted = [step.step for step in job.preprocess or () if step.is_fitted]
    assert set(fitted) <= {"stack", "image"}


def test_a_whole_number_is_a_version_and_one_with_a_point_wants_quotes() -> None:
    assert FittingJob.model_validate(fields() | {"version": 1}).version == "1"
    assert FittingJob.model_validate(fields() | {"version": "1.10"}).version == "1.10"
    for version, message in ((1.1, "must stand in quotes"), (True, "string"), ("", "at least 1")):
        with pytest.raises(ValidationError, match=message):
            FittingJob.model_validate(fields() | {"version": version})


def test_a_job_is_frozen() -> None:
    job = FittingJob.model_validate(fields())
    with pytest.raises(ValidationError):
        job.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": {"validation": 0.5, "test": 0.5}}, "validation \\+ test must be < 1, got 1"),
        ({"data": {**fields()["data"], "labels": ["0", "0"]}}, "labels holds '0' twice"),
        ({"data": {**fields()["data"], "features": ["digit"]}}, "features must not hold 'digit'"),
        ({"data": {**fields()["data"], "features": ["a"], "fill": {"b": 0.0}}}, "fill names 'b'"),
        (
            {"data": {**fields()["data"], "features": ["a"], "missing": {"b": "fill"}}},
            "missing names 'b'",
        ),
        ({"data": {**fields()["data"], "missing": "fil"}}, "'error', 'reject' or 'fill'"),
        ({"training": {"learning_rate": 0}}, "greater than 0"),
        ({"training": {"optimiser": "adagrad"}}, "'sgd', 'momentum', 'adam' or 'adamw'"),
        ({"training": {"seed": -1}}, "greater than or equal to 0"),
        (
            {"network": {**fields()["network"], "activation": "relu"}},
            "'sigmoid', 'softmax' or 'none'",
        ),
        ({"network": {"parameters": {"hidden": []}}}, "builder is needed"),
        ({"from_package": "m"}, "the network is that of the package"),
        ({"refit": True}, "refit is for from_package"),
        ({"data": {"paths": "a", "dataset": "digits"}}, "from one of them"),
        ({"split": {"by": "fixed"}}, "by fixed needs column"),
        ({"split": {"by": "time", "column": "part"}}, "column and paths are for by: fixed"),
        ({"split": {"column": "part", "test_paths": "t"}}, "one of them says"),
        ({"split": {"values": {"test": ["t"]}}}, "values are those of column"),
        ({"split": {"values": {"tets": ["t"]}, "column": "part"}}, "'test'"),
        ({"name": "../up"}, "should match pattern"),
        ({"shards": 0}, "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FittingJob.model_validate(fields(**changes))


def nested(path: str, value: Any) -> dict[str, Any]:
    section, _, name = path.partition(".")
    base = fields().get(section, {})
    return fields(**{section: {**base, name: value}})


@pytest.mark.parametrize(
    ("path", "taken", "refused"),
    [
        ("split.validation", [0.01, 0.7], [0, 1, 0.75]),
        ("split.test", [0.01, 0.8], [0, 1, 0.85]),
        ("split.seed", [0, 2**32 - 1, None], [-1, 2**32]),
        ("data.label", [("digit",), ("other",)], [("id",), ("digit", "digit")]),
        ("data.labels", [("a", "b")], [("a", "b", "a")]),
        ("data.features", [("a",), None], [(), ("id",), ("digit",), ("a", "b", "a")]),
        ("network.inputs", [{"a": "a", "b": ("c", "d")}], [{"a": ()}, 3]),
    ],
)
def test_the_last_value_that_is_taken_and_the_first_that_is_not(
    path: str, taken: list[Any], refused: list[Any]
) -> None:
    section, _, name = path.partition(".")
    for value in taken:
        assert (
            getattr(getattr(FittingJob.model_validate(nested(path, value)), section), name) == value
        )
    for value in refused:
        with pytest.raises(ValidationError):
            FittingJob.model_validate(nested(path, value))


def test_what_a_job_does_that_says_nothing() -> None:
    job = FittingJob.model_validate(fields())
    assert job.split.model_dump(exclude_defaults=True) == {}
    assert (job.split.validation, job.split.test) == (0.15, 0.25)
    assert job.training == Training()
    assert (job.onnx, job.report, job.refit) == (True, True, False)
    assert (job.data.features, job.data.missing, job.data.fill, job.shards) == (
        None,
        {},
        {},
        4,
    )


def test_filled_columns_are_features_or_any_where_all_are() -> None:
    data = fields()["data"]
    for extra in ({"features": ["a", "b"], "fill": {"b": 0.0}}, {"fill": {"anything": 1}}):
        assert FittingJob.model_validate(fields(data={**data, **extra})).data.fill == extra["fill"]


def test_an_override_and_an_unknown_key() -> None:
    job = load(FittingJob, EXAMPLES[1], [("training.seed", "7"), ("data.missing", "error")])
    assert (job.training.seed, job.data.missing) == (7, {"default": "error"})
    with pytest.raises(JobError, match=r"training\.patients: unknown key; did you mean patience"):
        load(FittingJob, EXAMPLES[1], [("training.patients", "3")])


def test_arguments_may_be_named_alone_and_labels_in_yaml_are_texts() -> None:
    job = FittingJob.model_validate(fields())
    assert job.network.inputs == {"x": "x"}
    for labels, texts in (([False, True], ("false", "true")), ([0, 1], ("0", "1"))):
        data = {**fields()["data"], "labels": labels}
        assert FittingJob.model_validate(fields(data=data)).data.labels == texts
    assert job.data.label == ("digit",)
