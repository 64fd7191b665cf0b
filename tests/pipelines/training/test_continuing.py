"""What of a package's steps is found again, where its network is trained further on other rows."""

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from configs.errors import InputError, JobError
from model_zoo.package.card import InputColumn, Tensor
from model_zoo.steps.encode import Ordinal
from model_zoo.steps.fill import Fill
from model_zoo.steps.graph import Graph
from model_zoo.steps.scale import Standardise
from pipelines.training.continuing import (
    _find_task,
    _take_columns,
    _unfit,
    cast_to_contract,
    take_over,
)
from pipelines.training.fitting_job import FittingJob


def test_what_was_found_in_the_rows_is_found_again_and_what_was_said_is_kept() -> None:
    said = Fill(step="fill", columns=("a",), values=(7,))
    assert _unfit(said) == said
    found = Fill(step="fill", columns=("a",), strategy="mean", values=(7,))
    assert _unfit(found) == Fill(step="fill", columns=("a",), strategy="mean")
    scaled = Standardise(step="standardise", columns=("a",), mean=(1.0,), scale=(2.0,))
    assert _unfit(scaled) == Standardise(step="standardise", columns=("a",))
    known = Ordinal(step="ordinal", columns=("a",), unknown="code", categories=(("x",),))
    assert _unfit(known) == Ordinal(step="ordinal", columns=("a",), unknown="code")


def card_of(task: str | None, activation: str) -> Any:
    return SimpleNamespace(task=task, activation=activation)


@pytest.mark.parametrize(
    ("task", "activation", "found"),
    [
        # Packages that are older than the word say what makes probabilities of their logits.
        (None, "sigmoid", "classification"),
        (None, "softmax", "classification"),
        ("classification", "softmax", "classification"),
        ("classification", "none", "classification"),
        ("multi_label", "sigmoid", "multi_label"),
        ("regression", "none", "regression"),
    ],
)
def test_the_task_that_a_package_was_trained_for_goes_on(
    task: str | None, activation: str, found: str
) -> None:
    assert _find_task(card_of(task, activation), "m") == found


@pytest.mark.parametrize(
    ("task", "activation", "told"),
    [(None, "none", "nothing"), ("tokens", "softmax", "tokens"), ("ranking", "none", "ranking")],
)
def test_a_task_that_training_does_not_learn_is_asked_for(
    task: str | None, activation: str, told: str
) -> None:
    with pytest.raises(JobError, match=f"task: m says {told} of its scores; say task"):
        _find_task(card_of(task, activation), "m")


SCALE = Standardise(step="standardise", columns=("a",), mean=(1.0,), scale=(2.0,))
GRAPH = Graph(
    step="graph", nodes="n", edges=("from", "to"), nodes_shape=(5, 2), most_edges=7, attributes="w"
)


def before_of(*steps: Any, columns: tuple[InputColumn, ...] = (), **fields: Any) -> Any:
    """Return a package that a job goes on from."""
    said = {
        "columns": columns,
        "labels": ("no", "yes"),
        "builder": "mlp",
        "parameters": {"hidden": [4]},
        "inputs": {
            "x": Tensor(dtype="float64", shape=(2,)),
            "m": Tensor(shape=(2,), column="a_mask"),
        },
        "outputs": {"logit": Tensor(shape=())},
        "activation": "sigmoid",
        "task": "classification",
        "graph": None,
        **fields,
    }
    package = SimpleNamespace(card=SimpleNamespace(**said), steps=steps)
    return SimpleNamespace(package=package)


def job_of(**fields: Any) -> FittingJob:
    data = {"paths": ["/in"], "key": "id", "label": "y"}
    return FittingJob.model_validate({"data": data, "from_package": "/p", **fields})


@pytest.mark.parametrize("refit", [True, False])
def test_a_job_goes_on_with_columns_steps_and_network_of_the_package(refit: bool) -> None:
    columns = (InputColumn(name="a", type="double", missing="reject"),)
    found = take_over(job_of(refit=refit), before_of(SCALE, columns=columns))
    assert found.data.features == ("a",)
    assert found.data.labels == ("no", "yes")
    assert found.task == "classification"
    assert found.preprocess is not None
    (step,) = found.preprocess
    assert (step.mean is None) is refit
    network = found.network
    assert (network.builder, network.activation) == ("mlp", "sigmoid")
    assert network.inputs == {"x": "x", "m": "a_mask"}
    assert network.dtypes == {"x": "float64", "m": "float32"}
    assert network.outputs == ("logit",)
    assert network.graph is None


def test_what_a_network_of_graphs_takes_stands_in_its_graph() -> None:
    card_graph = SimpleNamespace(pool="mean")
    found = take_over(job_of(), before_of(SCALE, GRAPH, graph=card_graph))
    assert (found.network.inputs, found.network.dtypes) == ({}, {})
    graph = found.network.graph
    assert graph is not None
    assert (graph.nodes, graph.edges) == ("n", ("from", "to"))
    assert (graph.attributes, graph.pool) == ("w", "mean")
    # The network makes its graphs of them.
    assert found.preprocess is not None
    assert [step.step for step in found.preprocess] == ["standardise"]
    # One that is called otherwise has none.
    assert take_over(job_of(), before_of(GRAPH)).network.graph is None


def test_the_job_says_labels_and_task_where_a_package_does_not() -> None:
    old = before_of(labels=(), task=None, activation="none")
    data = {"paths": ["/in"], "key": "id", "label": "y", "labels": ["a", "b"]}
    found = take_over(job_of(data=data, task="regression"), old)
    assert (found.data.labels, found.task) == (("a", "b"), "regression")


def test_code_of_others_is_named() -> None:
    theirs = before_of(builder="my.module:Net")
    with pytest.raises(JobError, match=r"code of the module my\.module, which nobody has allowed"):
        take_over(job_of(), theirs)
    assert take_over(job_of(modules=["my.module"]), theirs).network.builder == "my.module:Net"


def test_a_contract_says_what_becomes_of_each_column() -> None:
    columns = (
        InputColumn(name="a", type="double", missing="fill", fill=0.0),
        InputColumn(name="b", type="date32[day]", missing="error", number="days"),
    )
    assert _take_columns(columns) == {
        "features": ("a", "b"),
        "missing": {"a": "fill", "b": "error"},
        # A fill of 0 is one.
        "fill": {"a": 0.0},
        "numbers": {"b": "days"},
    }


def test_columns_are_cast_to_what_the_package_knows() -> None:
    columns = tuple(
        InputColumn(name=name, type=kind, missing="reject")
        for name, kind in (("a", "double"), ("b", "int64"), ("c", "string"), ("d", "int8"))
    )
    before = before_of(columns=columns)
    rows = pa.table({"z": [1], "a": [7], "c": pa.nulls(1), "d": pa.array([3], pa.int8())})
    cast = cast_to_contract(rows, before)
    # In their places, and what the package does not know stays.
    assert cast.column_names == ["z", "a", "c", "d"]
    assert cast.schema.types == [pa.int64(), pa.float64(), pa.string(), pa.int8()]
    assert cast.to_pylist() == [{"z": 1, "a": 7.0, "c": None, "d": 3}]
    broken = pa.table({"a": ["x"], "b": ["y"], "d": [1]})
    with pytest.raises(
        InputError, match="'a' is string, and was double; 'b' is string, and was int64"
    ):
        cast_to_contract(broken, before)
