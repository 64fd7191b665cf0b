"""SIGKILL of the whole process group at random moments of a run of 40 shards: what was published stays, and a rerun ends in the same bytes."""

from pathlib import Path
import random
import shutil
import time

import pytest

from tests.faults.conftest import Servers
from tests.faults.counts import full_or
from tests.faults.server import Request
from tests.faults.world import OTHER_SETTING, Seen, check_every_row_once, make_world, read_link, read_output, read_run

KILLED = -9
SHARDS, ROWS = 40, 2_000


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("kills"), SHARDS, ROWS)


@pytest.fixture(scope="module")
def earlier(job: Path, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output with a published run of another setting."""
    output = tmp_path_factory.mktemp("earlier") / "scores"
    assert servers.run(scoring(job, output, *OTHER_SETTING)) == 0
    return output


@pytest.fixture(scope="module")
def undisturbed(job: Path, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> tuple[Seen, float]:
    """What a run gives that nobody kills, and how many seconds it takes."""
    output = tmp_path_factory.mktemp("undisturbed") / "scores"
    began = time.monotonic()
    assert servers.run(scoring(job, output)) == 0
    seen = read_output(output)
    assert seen is not None
    return seen, time.monotonic() - began


def scoring(job: Path, output: Path, *flags: str, seconds: float | None = None) -> Request:
    arguments = ["--config", str(job), "--output", str(output), "--quiet", "--set", "sink.rows_per_file=500", *flags]
    return Request("pipelines.score", arguments, f"{output}.log", seconds=seconds)


@pytest.mark.parametrize("moment", range(full_or(4, 20)))
def test_killed_at_a_random_moment(
    moment: int, job: Path, earlier: Path, undisturbed: tuple[Seen, float], servers: Servers, tmp_path: Path
) -> None:
    end, whole_seconds = undisturbed
    before = read_output(earlier)
    assert before is not None
    output = tmp_path / "scores"
    seconds = random.Random(moment).random() * whole_seconds  # noqa: S311 - which moment, not a secret
    while True:
        shutil.copytree(earlier, output, symlinks=True)
        if servers.run(scoring(job, output, seconds=seconds)) == KILLED:
            break
        shutil.rmtree(output)  # it was quicker than the one that was timed
        seconds *= 0.8
    assert read_run(output, before.run_id) == before
    assert read_output(output) in (before, end)
    assert read_link(output) in (before.run_id, end.run_id)
    assert servers.run(scoring(job, output)) == 0
    assert read_output(output) == end
    assert read_link(output) == end.run_id
    assert list((output / "_tmp").iterdir()) == []
    check_every_row_once(output, SHARDS * ROWS)
