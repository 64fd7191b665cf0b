"""What tests of the programs share: the graph without Beam, pages with pictures and without, and a job that takes long enough to be stopped in the middle."""

import pytest

from tests.benchmarks.tabular_data import make_package, make_shards, package_folder, shards_folder
from tests.support.packaging import author, author_of
from tests.support.programs import Programs
from tests.support.runs import published
from tests.support.without_beam import run_without_beam

# Fixtures of every test of packaging.
__all__ = ["author", "author_of"]
ROWS, SHARDS = 120_000, 24


@pytest.fixture(autouse=True)
def _without_beam(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not about Beam is done without it; tests that are marked `beam` prove the same way through it."""
    if request.node.get_closest_marker("beam") is None:
        run_without_beam(monkeypatch)


@pytest.fixture(params=[pytest.param(True, marks=pytest.mark.slow), False], ids=["drawn", "tables"])
def drawn(request: pytest.FixtureRequest) -> bool:
    """With matplotlib, and as if it were not there."""
    if request.param:
        pytest.importorskip("matplotlib")
    return bool(request.param)


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A job of 24 shards, some seconds of work: the batches are small, so there are many."""
    folder = tmp_path_factory.mktemp("tabular")
    make_shards(folder, ROWS, SHARDS)
    make_package(folder)
    source, package = shards_folder(folder, ROWS, SHARDS), package_folder(folder)
    job = folder / "job.yaml"
    job.write_text(
        f"name: work\nsource: {{paths: {source}, key: id}}\nmodel: {{package: {package}, batch_rows: 8}}\n"
        "postprocess: {keep: [probability]}\nsink: {path: nowhere}\n"
    )
    return ["--config", str(job), "--quiet"]


@pytest.fixture(scope="session")
def local(
    work: list[str], programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """What the local runner publishes for that job."""
    output = tmp_path_factory.mktemp("local")
    run = programs.run("pipelines.score", *work, "--output", str(output))
    assert run.returncode == 0, run.stderr
    return published(output)
