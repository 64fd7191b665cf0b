"""The real program on a tiny input, for a package or a job that means harm."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.security.refusals import Shown
from tests.support.builders import FEATURES
from tests.support.without_beam import run_without_beam

ROWS = 20


@pytest.fixture(autouse=True)
def _without_beam(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("beam") is None:
        run_without_beam(monkeypatch)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """Where a payload would leave its trace."""
    return tmp_path / "canary"


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """One shard that fits the tiny model."""
    x = np.random.default_rng(0).standard_normal((3, ROWS), dtype=np.float32)
    (tmp_path / "shards").mkdir()
    pq.write_table(
        pa.table({"id": range(ROWS), **dict(zip(FEATURES, x, strict=True))}),
        tmp_path / "shards/a.parquet",
    )
    return tmp_path / "shards"


@pytest.fixture
def score_with(
    shards: Path, tmp_path: Path, run_score: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> Callable[..., Shown]:
    """Score the shard with a package, in this process: exit status and all that was written to the terminal."""

    def score(package: Path | str, *flags: str) -> Shown:
        capfd.readouterr()
        status = run_score("--model", str(package), "--input", str(shards), *flags)
        out, err = capfd.readouterr()
        return status, out + err

    return score
