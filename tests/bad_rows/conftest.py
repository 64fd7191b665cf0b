"""A job whose model fails on purpose, scored in this process."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.bad_rows.engines import (
    GRAPH_ENGINES,
    Install,
    Spoil,
    spoil_engine,
    write_package_of_both,
)
from tests.bad_rows.own_files import LIBRARIES
from tests.bad_rows.spoilt_job import COLUMNS, make_job
from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, run_job, write_job
from tests.support.without_beam import run_without_beam


@pytest.fixture(autouse=True)
def _without_beam(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    is_about_beam = request.node.get_closest_marker("beam") is not None
    callspec = getattr(request.node, "callspec", None)
    engine = callspec.params.get("engine", "torch") if callspec else "torch"
    # What Beam does is the same for every engine, and is seen with one of them.
    if not is_about_beam or engine in GRAPH_ENGINES:
        run_without_beam(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where `model/`, `shards/` and `scores/` of the job stand."""
    make_job(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Callable[..., Outcome]:
    """Score the job in this process."""

    def run(*flags: str, output: str = "scores") -> Outcome:
        return run_job(folder / "job.yaml", *flags, output=folder / output)

    return run


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """The engine that computes; torch, for tests that are not about each."""
    name: str = getattr(request, "param", "torch")
    if name in GRAPH_ENGINES:
        pytest.importorskip("onnx")
    library = LIBRARIES.get(name, name)
    # Found and not imported: Keras would start the backend that it has for a default.
    if find_spec(library) is None:
        pytest.skip(f"needs {library}")
    return name


@pytest.fixture(scope="session")
def package_of_both(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A package that each of `ENGINES` computes; torch alone, where there is nothing to make a graph with."""
    folder = tmp_path_factory.mktemp("both") / "model"
    if find_spec("onnx") is None:
        return tiny_package(folder, columns=COLUMNS)
    return write_package_of_both(folder, COLUMNS)


@pytest.fixture
def engine_folder(tmp_path: Path, engine: str, package_of_both: str) -> Path:
    """As `folder`, of a job that names its engine."""
    source = {"passthrough": ["id"]}
    model = {"batch_rows": 64, "engine": engine}
    write_job(tmp_path, package_of_both, source=source, model=model)
    return tmp_path


@pytest.fixture
def install(engine: str, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Let the engine's networks give spoilt answers; the rows of each call are in the list that comes back."""

    def spoil_answers(spoil: Spoil) -> list[int]:
        return spoil_engine(monkeypatch, engine, spoil)

    return spoil_answers
