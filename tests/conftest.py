"""What several tests need: the sample that comes with the repository, a trained digits model, and a way to run programs."""

from collections.abc import Callable, Iterator
import os
from pathlib import Path
import subprocess
import sys

import pytest

from pipelines import score
from pipelines.command_line import run_program

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Paths in the example jobs are relative to the repository, as for a user who stands in it."""
    monkeypatch.chdir(REPOSITORY)
    return


@pytest.fixture(autouse=True)
def _environment_as_it_was() -> Iterator[None]:
    """The program sets up its process for workers (PATH, PYTHONPATH, PYTHONSAFEPATH); run inside a test, it must not for the next one."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that `pipelines.train` filled with the digits model, held-out shards and labels."""
    from pipelines import train

    folder = tmp_path_factory.mktemp("digits")
    config = str(REPOSITORY / "configs/train_digits.yaml")
    assert run_program(train.main, ["--config", config, "--output", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture(scope="session")
def breast_cancer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that `pipelines.train` filled with the breast-cancer model, held-out shards as Parquet and CSV, and labels."""
    from pipelines import train

    folder = tmp_path_factory.mktemp("breast_cancer")
    config = str(REPOSITORY / "configs/train_breast_cancer.yaml")
    assert run_program(train.main, ["--config", config, "--output", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture
def run_score(tmp_path: Path) -> Callable[..., int]:
    """`pipelines.score` in this process; by default the sample job, quiet, into `tmp_path/scores`."""

    def run(*arguments: str, output: Path | str | None = None) -> int:
        where = tmp_path / "scores" if output is None else output
        return run_program(score.main, ["--output", str(where), "--quiet", *arguments])

    return run


def program(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program as a user does, in a process of its own."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
