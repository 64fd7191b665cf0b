"""A server's model without a package: what the server says and what the job must say are its card."""

from typing import Any

import pyarrow as pa
import pytest

from configs.errors import JobError, ModelError, Refusal, ServerError
from model_zoo.package.card import ModelCard
from model_zoo.package.package import Package
from model_zoo.remote.client import TensorSpec
from pipelines.planning.direct_model import make_direct
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.plan_server import find_direct_server
from pipelines.planning.served import Served
from tests.support.memory_server import URL, MemoryServer, start_server

NUMBER = TensorSpec("float32", (1,))


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryServer:
    return start_server(monkeypatch)


def job_of(**changes: Any) -> ScoringJob:
    model = {
        "engine": "remote",
        "protocol": "oip-grpc",
        "url": URL,
        "name": "churn",
        "columns": {"a": "float", "b": "float", "c": "float"},
    }
    sections = {"source": {"paths": "a"}, "sink": {"path": "o"}}
    return ScoringJob.model_validate({"name": "j", **sections, "model": {**model, **changes}})


def make(job: ScoringJob) -> tuple[Package, Served]:
    served, described = find_direct_server(job)
    return make_direct(job, served, described), served


def card_of(**changes: Any) -> ModelCard:
    return make(job_of(**changes))[0].card


def test_one_input_is_all_columns_side_by_side(memory: MemoryServer) -> None:
    package, served = make(job_of())
    card = package.card
    assert [(c.name, c.type, c.missing) for c in card.columns] == [
        (name, "float", "reject") for name in "abc"
    ]
    assert card.inputs["x"].shape == (3,)
    assert card.outputs["logit"].shape == ()
    assert [step.step for step in package.steps] == ["stack"]
    # The version that answered is the run's, though nobody named it.
    assert (card.version, served.target.version) == ("3", "3")
    assert package.smoke.num_rows == 0


def test_inputs_by_name_are_columns_by_name(memory: MemoryServer) -> None:
    memory.says(inputs=dict.fromkeys("abc", NUMBER))
    assert {name: tensor.shape for name, tensor in card_of().inputs.items()} == {
        "a": (),
        "b": (),
        "c": (),
    }
    memory.says(inputs={"x": TensorSpec("int64", (2,)), "y": NUMBER})
    card = card_of(inputs={"x": ["a", "b"], "y": "c"})
    assert card.inputs["x"].dtype == "int64"
    assert card.inputs["y"].column == "c"
    # A list that a column holds has the server's length.
    memory.says(inputs={"x": TensorSpec("float32", (7, 2))})
    assert card_of(inputs={"x": "a"}).inputs["x"].shape == (7, 2)


def test_what_else_decides_is_another_digest(memory: MemoryServer) -> None:
    first, _ = make(job_of())
    again, _ = make(job_of(server={"max_in_flight": 3}))
    assert first.digest == again.digest
    others = [job_of(columns={"b": "float", "a": "float", "c": "float"}), job_of()]
    for number, job in enumerate(others):
        if number:
            memory.says(model_version="4")
        other, _ = make(job)
        assert other.digest != first.digest


def test_a_server_without_versions_and_with_an_odd_name(memory: MemoryServer) -> None:
    memory.says(model_version="")
    package, served = make(job_of(name="team/churn model"))
    assert (package.card.name, package.card.version) == ("team-churn-model", "unknown")
    assert served.target.version is None


def test_outputs_are_numbers_of_a_known_size(memory: MemoryServer) -> None:
    memory.says(
        outputs={
            "logits": TensorSpec("float32", (None,)),
            "one": NUMBER,
            "why": TensorSpec("bytes", ()),
        }
    )
    card = card_of(outputs={"logits": [3]})
    assert {name: tensor.shape for name, tensor in card.outputs.items()} == {
        "logits": (3,),
        "one": (),
    }
    memory.says(outputs={})
    assert card_of(outputs={"score": [1]}).outputs["score"].shape == ()


@pytest.mark.parametrize(
    ("said", "changes", "told"),
    [
        ({"inputs": {}}, {}, "its server does not say what it takes; make a package"),
        ({"inputs": {"x": NUMBER, "y": NUMBER}}, {}, "model.inputs: is needed, too"),
        ({}, {"inputs": {"z": "a"}}, "model.inputs.z: the server has no such input"),
        (
            {"inputs": {"x": NUMBER, "y": NUMBER}},
            {"inputs": {"x": "a"}},
            "model.inputs: the server also takes y",
        ),
        (
            {"inputs": {"x": TensorSpec("float32", (None, 2))}},
            {"inputs": {"x": "a"}},
            "model.inputs.x: the server does not say how long a row is",
        ),
        ({"inputs": {"x": TensorSpec("bytes", ())}}, {}, "model.inputs.x: the server takes texts"),
        (
            {"outputs": {"y": TensorSpec("float32", (None,))}},
            {},
            r"add outputs: {y: \[3\]}",
        ),
        ({"outputs": {}}, {}, r"add outputs: {NAME: \[SIZE\]}"),
        ({}, {"outputs": {"z": [1]}}, "model.outputs.z: the server gives none, but logit"),
        ({}, {"engine": "remote", "device": "cuda"}, "model.device cuda"),
    ],
)
def test_what_the_job_must_say_too(
    memory: MemoryServer, said: dict[str, Any], changes: dict[str, Any], told: str
) -> None:
    memory.says(**said)
    with pytest.raises(JobError, match=told):
        make(job_of(**changes))


@pytest.mark.parametrize(
    ("said", "changes", "kind"),
    [
        ({"outputs": {"y": TensorSpec("complex64", ())}}, {}, ModelError),
        ({}, {"url": "grpc://nobody:1", "server": {"patience_seconds": 0}}, ServerError),
    ],
)
def test_a_server_that_is_none_or_describes_no_numbers(
    memory: MemoryServer, said: dict[str, Any], changes: dict[str, Any], kind: type[Refusal]
) -> None:
    memory.says(**said)
    with pytest.raises(kind) as refused:
        make(job_of(**changes))
    assert "\n" not in str(refused.value)


def test_an_input_of_bytes_of_pictures_is_stacked_as_whole_numbers(memory: MemoryServer) -> None:
    memory.says(inputs={"x": TensorSpec("uint8", (3,))})
    package, _ = make(job_of(columns=dict.fromkeys("abc", str(pa.uint8()))))
    assert package.steps[0].model_dump()["dtype"] == "int64"
    assert package.card.inputs["x"].dtype == "uint8"
