"""A graph that has passed its trial is not tried again on the same machine, with the same library."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.engines import graph_trial
from model_zoo.engines.checked_graph import Graph
from model_zoo.engines.child.process import ChildError
from model_zoo.engines.graph_trial import try_graph
from model_zoo.package import cache
from model_zoo.package.package import read_package
from tests.support.builders import tiny_package

GRAPH = Graph("model.onnx", b"bytes of a graph", {})


class Trials:
    """Stands in for children, and counts them; each run of `try_again` is a process of its own."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path | None, package: Path) -> None:
        self.count = 0
        self.error = ""
        self._patch = patch
        self._package = read_package(str(package))
        patch.setattr(cache, "private_folder", lambda name: folder)
        patch.setattr(graph_trial, "start_child", self._start)

    def try_again(
        self,
        graph: Graph = GRAPH,
        module: str = "a.child",
        told: Mapping[str, Any] | None = None,
        version: str = "library 1.0",
    ) -> int:
        """Return how many trials there have been after this one."""
        self._patch.setattr(graph_trial, "_passed", set())
        try_graph(self._package, graph, module, told or {}, version)
        return self.count

    def _start(self, *_: object, **__: object) -> Any:
        self.count += 1

        def compute(rows: Arrays, **_: object) -> None:
            if self.error:
                raise ChildError(self.error)

        return compute


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return Path(tiny_package(tmp_path / "model"))


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: Path) -> Trials:
    folder = tmp_path / "kept"
    folder.mkdir()
    return Trials(monkeypatch, folder, package)


def test_what_has_passed_is_not_tried_again(trials: Trials) -> None:
    assert trials.try_again() == 1
    assert trials.try_again() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"graph": Graph("model.onnx", b"bytes of another", {})},
        {"graph": Graph("model.onnx", b"bytes of a graph", {"data": b"numbers"})},
        {"module": "another.child"},
        {"told": {"precision": "bf16"}},
        {"version": "library 1.1"},
    ],
)
def test_all_that_decides_how_a_trial_ends_is_tried(trials: Trials, other: dict[str, Any]) -> None:
    trials.try_again()
    assert trials.try_again(**other) == 2


def test_on_another_kind_of_processor_it_is_tried(
    trials: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials.try_again()
    monkeypatch.setattr(graph_trial, "instructions", lambda: ["avx9"])
    assert trials.try_again() == 2


def test_what_has_failed_is_tried_each_time(trials: Trials) -> None:
    trials.error = "it was ended by SIGSEGV"
    for count in (1, 2):
        with pytest.raises(ModelError, match="SIGSEGV"):
            trials.try_again()
        assert trials.count == count


@pytest.mark.parametrize("is_named", [False, True])
def test_where_nothing_can_be_kept_it_is_tried_each_time(
    is_named: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: Path
) -> None:
    """No folder is this user's own, or it has gone in the meantime."""
    folder = tmp_path / "gone" if is_named else None
    trials = Trials(monkeypatch, folder, package)
    assert trials.try_again() == 1
    assert trials.try_again() == 2
