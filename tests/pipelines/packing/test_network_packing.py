"""What a network's card says of it, and what is asked before it has its weights, on stand-ins for the rest."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from configs.errors import ModelError
from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.packing import network_packing
from pipelines.packing.network_packing import (
    _add_forms,
    _build,
    _choose_tolerance,
    _count_tokens,
    _find_own_mask,
    _list_libraries,
    _list_modules,
    _load_network,
    _Loaded,
    _name_model,
    _settle,
)

Job = PackagingJob[AnyStep]
OURS, THEIRS = "mlp", "torchvision:resnet18"


class Questions:
    """Stands in for what is asked: it does at once what it is given, and remembers it."""

    def __init__(self, answers: bool = True) -> None:
        self.asked: list[str] = []
        self._answers = answers

    def ask(self, function: Any, *arguments: Any) -> Any:
        self.asked.append(function.__name__)
        return function(*arguments) if self._answers else None


def job_of(network: str = OURS, **fields: Any) -> Job:
    return Job.model_validate({"network": network, **fields})


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mask of five tokens, whatever the inputs."""
    monkeypatch.setattr(network_packing, "find_mask", lambda *_: "mask")


def called() -> Any:
    prepared = SimpleNamespace(steps=(), inputs={"mask": np.ones((2, 5))})
    return SimpleNamespace(prepared=prepared, outputs={"y": np.ones(2, np.float32)})


def test_only_a_network_of_others_is_given_a_mask_that_is_found() -> None:
    assert _find_own_mask(job_of(OURS), called()) is None
    assert _count_tokens(job_of(OURS), called()) is None
    assert _find_own_mask(job_of(THEIRS), called()) == "mask"
    assert _count_tokens(job_of(THEIRS), called()) == 5


@pytest.mark.parametrize(
    ("is_whole", "fields", "is_asked"),
    [
        (True, {}, True),
        # Without its weights, numbers say nothing; what the author says does.
        (False, {"task": "classification"}, False),
        (False, {"task": "classification", "activation": "softmax"}, True),
        (False, {}, True),
        (True, {"task": "classification"}, True),
    ],
)
def test_scores_are_looked_at_where_they_say_something(
    is_whole: bool, fields: Any, is_asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settle_activation(job: Job, outputs: Any, tokens: int | None) -> Job:
        return job

    def refuse_name_of_key(job: Job, outputs: Any) -> None:
        return None

    monkeypatch.setattr(network_packing, "settle_activation", settle_activation)
    monkeypatch.setattr(network_packing, "refuse_name_of_key", refuse_name_of_key)
    loaded = _Loaded(nn.Identity(), is_whole)
    for answers in (True, False):
        questions: Any = Questions(answers)
        settled = _settle(job_of(**fields), loaded, called(), questions)
        expected = ["settle_activation", "refuse_name_of_key"] if is_asked else []
        assert questions.asked == (expected if answers else expected[:1])
        assert (settled is not None) is (is_asked and answers)


@pytest.mark.parametrize(
    ("weights", "url", "notes", "expected"),
    [
        (None, None, ("a note",), (False, ())),
        ({}, None, ("a note",), (True, ("a note",))),
        ({}, None, (), (True, ())),
        ({}, None, None, (False, ())),
        (None, "w.safetensors", ("a note",), (True, ("a note",))),
    ],
)
def test_a_network_is_whole_once_it_has_its_weights(
    weights: Any, url: str | None, notes: Any, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_weights(url: str) -> Any:
        return {}

    def load_weights(network: nn.Module, weights: Any) -> Any:
        return notes

    monkeypatch.setattr(network_packing, "read_weights", read_weights)
    monkeypatch.setattr(network_packing, "load_weights", load_weights)
    given = {} if url is None else {"weights": url}
    job = job_of(parameters={"in_features": 2, "hidden": [2], "out_features": 1}, **given)
    material: Any = SimpleNamespace(job=job, weights=weights)
    questions: Any = Questions()
    loaded = _load_network(material, questions)
    assert loaded is not None
    assert (loaded.is_whole, loaded.notes) == expected
    assert not loaded.network.training
    assert ("read_weights" in questions.asked) is (url is not None)
    silent: Any = Questions(answers=False)
    assert _load_network(material, silent) is None


def test_a_network_without_forward_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_packing, "build", lambda *_: nn.Module())
    with pytest.raises(ModelError, match="network mlp has no forward, with which it would be"):
        _build(job_of())


@pytest.mark.parametrize(
    ("network", "libraries", "modules", "name"),
    [
        ("mlp", 0, (), "mlp"),
        ("torchvision:resnet18", 1, (), "resnet18"),
        ("my.module:My_Net", 0, ("my.module",), "my-net"),
    ],
)
def test_what_a_network_is_made_with(
    network: str, libraries: int, modules: tuple[str, ...], name: str
) -> None:
    found = _list_libraries(network)
    assert len(found) == len(network_packing._LIBRARIES) + libraries
    assert found[: len(network_packing._LIBRARIES)] == network_packing._LIBRARIES
    assert _list_modules(job_of(network)) == modules
    assert _name_model(network) == name


def test_a_tolerance_is_that_of_weights_and_outputs() -> None:
    def tolerance_of(weights: torch.dtype, outputs: Any) -> float:
        network = nn.Linear(1, 1).to(weights)
        loaded = SimpleNamespace(network=network)
        scores = SimpleNamespace(outputs={"y": np.ones(1, outputs)})
        examined: Any = SimpleNamespace(loaded=loaded, called=scores)
        return _choose_tolerance(examined)

    fine = tolerance_of(torch.float32, np.float32)
    assert tolerance_of(torch.float16, np.float32) > fine
    assert tolerance_of(torch.float32, np.float16) > fine


@pytest.mark.parametrize(("onnx", "is_made"), [(None, True), (True, True), (False, False)])
def test_a_graph_is_made_beside_unless_the_author_wants_none(
    onnx: Any, is_made: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = SimpleNamespace(content="with a graph", note="a note")
    monkeypatch.setattr(network_packing, "add_graph", lambda *_: beside)
    loaded = SimpleNamespace(network=nn.Linear(1, 1))
    examined: Any = SimpleNamespace(job=SimpleNamespace(onnx=onnx), loaded=loaded, called=called())
    content: Any = "content"
    found = _add_forms(examined, content, ())
    assert found == (("with a graph", ("a note",)) if is_made else ("content", ()))
