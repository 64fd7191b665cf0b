"""The engine that is a server: what it is given, what it gives back, and what it does not do."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from configs.errors import ModelError
from model_zoo.engines.engine import choose_engine, find_engine
from model_zoo.engines.remote_engine import RemoteEngine, _Call
from model_zoo.engines.settings import Settings
from model_zoo.package.package import Package, read_package
from model_zoo.remote.client import TensorSpec
from model_zoo.remote.failures import RefusedError, TooLargeError
from model_zoo.remote.target import Target
from model_zoo.scoring.scorer import Scorer, load_scorer
from tests.support.memory_server import (
    URL,
    MemoryServer,
    compute_tiny,
    remote_package,
    start_server,
)

CPU = torch.device("cpu")
SETTINGS = Settings(16, engine="remote")
TARGET = Target("oip-grpc", URL, "churn", "3", max_in_flight=4)
X = np.random.default_rng(1).standard_normal((40, 3), dtype=np.float32)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryServer:
    return start_server(monkeypatch)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    url = remote_package(tmp_path_factory.mktemp("package") / "model")
    return Package(**{**vars(read_package(url)), "target": TARGET})


def score(package: Package, batch_rows: int = 16) -> Any:
    return load_scorer(package, "cpu", Settings(batch_rows, engine="remote"), threads=1)


def test_a_package_that_names_a_server_is_the_engines(package: Package) -> None:
    assert choose_engine(package.card) == "remote"
    engine = find_engine("remote")
    assert engine.reads(package.card) == "model.yaml"
    assert "grpcio" in engine.describe_version()
    assert list(engine.list_settings(package.card, CPU, 16, ())) == []
    assert list(engine.list_refinements(package.card, [SETTINGS], ())) == []
    assert engine.calibrate(package, SETTINGS, lambda rows: ()) is SETTINGS


def test_as_many_mini_batches_are_computed_at_once_as_the_target_allows(
    memory: MemoryServer, package: Package
) -> None:
    network = RemoteEngine().load(package, CPU, 1, SETTINGS)
    assert network.at_once == 4
    assert network.computed_by == f"churn version 3 at {URL}, oip-grpc, memory 1.0"


def test_mini_batches_that_wait_for_each_other_have_the_time_of_all(
    memory: MemoryServer, package: Package
) -> None:
    scorer = load_scorer(package, "cpu", SETTINGS, threads=1, timeout_seconds=100)
    assert isinstance(scorer, Scorer)
    assert (scorer.mini_batches.threads, scorer.mini_batches.timeout_seconds) == (4, 400)


def test_scores_come_back_in_their_places_whatever_is_answered_first(
    memory: MemoryServer, package: Package
) -> None:
    scored = score(package, batch_rows=3)({"x": X})
    np.testing.assert_array_equal(scored.outputs["logit"], compute_tiny({"x": X})["logit"])


def test_a_request_that_is_too_large_is_sent_in_smaller_ones(
    memory: MemoryServer, package: Package
) -> None:
    memory.fail = lambda inputs: TooLargeError("too large") if len(inputs["x"]) > 8 else None
    scorer = score(package)
    assert not scorer({"x": X}).rejected
    assert "at most 8 rows" in scorer({"x": X}).computed_by


def test_rows_that_are_refused_are_found_among_the_others(
    memory: MemoryServer, package: Package
) -> None:
    memory.fail = lambda inputs: RefusedError("no") if (inputs["x"] > 90).any() else None
    x = X.copy()
    x[[7, 30], 1] = 99
    scored = score(package)({"x": x})
    assert list(scored.rejected) == [7, 30]
    others = np.setdiff1d(np.arange(40), [7, 30])
    np.testing.assert_array_equal(
        scored.outputs["logit"][others], compute_tiny({"x": x})["logit"][others]
    )


def test_a_server_that_refuses_every_row_is_no_matter_of_rows(
    memory: MemoryServer, package: Package
) -> None:
    scorer = score(package)
    memory.fail = lambda inputs: RefusedError("not today")
    with pytest.raises(ModelError, match="failed on each of"):
        scorer({"x": X})


def test_other_outputs_are_nobodys(memory: MemoryServer, package: Package) -> None:
    memory.compute = lambda inputs: {**compute_tiny(inputs), "other": inputs["x"]}
    memory.says(outputs={**memory.answers.outputs, "other": TensorSpec("float32", (3,))})
    assert list(score(package)({"x": X}).outputs) == ["logit"]


@pytest.mark.parametrize(
    ("device", "settings", "told"),
    [
        ("cuda", SETTINGS, "set model.device to cpu"),
        ("cpu", Settings(16, "bfloat16", engine="remote"), "set model.dtype to float32"),
    ],
)
def test_what_a_server_is_not_told_is_refused(
    package: Package, device: str, settings: Settings, told: str
) -> None:
    with pytest.raises(ModelError, match=told):
        RemoteEngine().load(package, torch.device(device), 1, settings)


def test_without_a_target_nobody_is_asked(package: Package) -> None:
    lost = Package(**{**vars(package), "target": None})
    with pytest.raises(ModelError, match="nothing says how it is reached"):
        RemoteEngine().load(lost, CPU, 1, SETTINGS)


@pytest.mark.parametrize(
    ("declared", "answered", "expected"),
    [((), (3,), (3,)), ((), (3, 1), (3,)), ((1,), (3, 1), (3, 1)), ((2,), (3, 2), (3, 2))],
)
def test_a_list_of_one_is_a_number_where_the_package_says_so(
    declared: tuple[int, ...], answered: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    card: Any = SimpleNamespace(outputs={"y": SimpleNamespace(shape=declared)})

    def answer(arrays: Any) -> Any:
        return {"y": np.ones(answered, "float32")}

    model: Any = answer
    output = _Call(model, card)(x=torch.ones(3))["y"]
    assert tuple(output.shape) == expected
