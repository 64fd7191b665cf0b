"""Score files, folders or globs with a tiny model, or the text of one CSV file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
import uuid

import pytest

from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, run_job, write_job
from tests.support.without_beam import run_without_beam


@pytest.fixture(autouse=True)
def _without_beam(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("beam") is None:
        run_without_beam(monkeypatch)


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job for a model of three float columns `a`, `b`, `c`, with a key `id`."""
    folder = tmp_path_factory.mktemp("tiny")
    return write_job(folder, tiny_package(folder / "model"), postprocess={"keep": ["probability"]})


@pytest.fixture
def score_it(job: Path, tmp_path: Path) -> Callable[..., Outcome]:
    """The real program in this process: files, folders or globs to score; rows may be rejected."""

    def run(
        *paths: Path | str, settings: dict[str, Any] | None = None, config: Path = job
    ) -> Outcome:
        fields = {
            "source.paths": [str(path) for path in paths],
            "errors.max_rejected_percent": 100,
            **(settings or {}),
        }
        output = tmp_path / f"out-{uuid.uuid4().hex}"
        return run_job(config, "--direct_running_mode=in_memory", output=output, settings=fields)

    return run


@pytest.fixture
def score_csv(score_it: Callable[..., Outcome], tmp_path: Path) -> Callable[..., Outcome]:
    """The same for the text of one CSV file, or of several by their names, with a string column `s` to carry."""

    def run(
        content: str | bytes | dict[str, str], name: str = "in.csv", **settings: Any
    ) -> Outcome:
        contents = content if isinstance(content, dict) else {name: content}
        for each, text in contents.items():
            (tmp_path / each).write_bytes(text if isinstance(text, bytes) else text.encode())
        csv = {
            "source.format": "csv",
            "source.types": {"id": "int64", "s": "string"},
            "source.passthrough": ["s"],
        }
        return score_it(*(tmp_path / each for each in contents), settings={**csv, **settings})

    return run
