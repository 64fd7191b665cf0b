"""The real program on a tiny input, for a package or a job that means harm."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.builders import FEATURES

ROWS = 20
Outcome = tuple[int, str]


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """Where a payload would leave its trace."""
    return tmp_path / "canary"


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """One shard that fits the tiny model."""
    x = np.random.default_rng(0).standard_normal((3, ROWS), dtype=np.float32)
    (tmp_path / "shards").mkdir()
    pq.write_table(pa.table({"id": range(ROWS), **dict(zip(FEATURES, x, strict=True))}), tmp_path / "shards/a.parquet")
    return tmp_path / "shards"


@pytest.fixture
def score_with(
    shards: Path, tmp_path: Path, run_score: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Score the shard with a package, in this process: exit status and all that was written to the terminal."""

    def score(package: Path | str, *flags: str) -> Outcome:
        capfd.readouterr()
        status = run_score("--model", str(package), "--input", str(shards), *flags)
        out, err = capfd.readouterr()
        return status, out + err

    return score


def refused(outcome: Outcome, *statuses: int) -> str:
    """The one plain line of a refusal with one of these statuses.

    It is the last one. In this process the runner's threads write tracebacks before it, which a process of its own sends nowhere.
    """
    status, text = outcome
    assert status in (statuses or (3,)), text
    *before, line = text.splitlines()
    assert not [other for other in before if other.startswith("error: ")], text
    assert line.startswith("error: ")
    assert "internal error" not in line
    assert len(line) < 2_000
    return line
