"""A job whose model fails on purpose, scored in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bad_rows.spoilt_job import make_job
from tests.support.jobs import Outcome, run_job
from tests.support.without_beam import run_without_beam


@pytest.fixture(autouse=True)
def _without_beam(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("beam") is None:
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
