"""SIGKILL of the whole process group at random moments of a run of 40 shards: what was published stays, and a rerun ends in the same bytes."""

from pathlib import Path
import random
import shutil
import time

import psutil
import pytest

from tests.faults.counts import full_or
from tests.faults.injector import Request
from tests.faults.programs import flags_of, forked
from tests.faults.server import Server
from tests.faults.world import (
    OTHER_SETTING,
    Seen,
    check_every_row_once,
    make_world,
    read_link,
    read_output,
    read_run,
)
from tests.support.processes import gone_within
from tests.support.programs import Program, Programs

KILLED = -9
# Of each shard at least two files are written.
SHARDS, ROWS = 40, full_or(1_000, 2_000)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("kills"), SHARDS, ROWS)


@pytest.fixture(scope="module")
def earlier(job: Path, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output with a published run of another setting."""
    output = tmp_path_factory.mktemp("earlier") / "scores"
    assert server.strike(scoring(job, output, *OTHER_SETTING, beam=full_or(False, True))) == 0
    return output


@pytest.fixture(scope="module")
def undisturbed(
    job: Path, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Seen, float]:
    """What a run gives that nobody kills, and how many seconds it takes."""
    output = tmp_path_factory.mktemp("undisturbed") / "scores"
    began = time.monotonic()
    assert server.strike(scoring(job, output)) == 0
    seen = read_output(output)
    assert seen is not None
    return seen, time.monotonic() - began


FLAGS = ("--set", "sink.rows_per_file=500")


def scoring(
    job: Path, output: Path, *flags: str, seconds: float | None = None, beam: bool = True
) -> Request:
    return Request(
        "pipelines.score",
        flags_of(job, output, *FLAGS, *flags),
        f"{output}.log",
        beam,
        seconds=seconds,
    )


def check_killed(job: Path, output: Path, before: Seen, end: Seen, server: Server) -> None:
    """What was published stands, and the same command ends as if nobody had killed it."""
    assert read_run(output, before.run_id) == before
    assert read_output(output) in (before, end)
    assert read_link(output) in (before.run_id, end.run_id)
    assert server.strike(scoring(job, output, beam=full_or(False, True))) == 0
    assert read_output(output) == end
    assert read_link(output) == end.run_id
    assert read_run(output, before.run_id) == before
    assert list((output / "_tmp").iterdir()) == []
    check_every_row_once(output, SHARDS * ROWS)


@pytest.mark.parametrize("moment", range(full_or(2, 20)))
def test_killed_at_a_random_moment(
    moment: int,
    job: Path,
    earlier: Path,
    undisturbed: tuple[Seen, float],
    server: Server,
    tmp_path: Path,
) -> None:
    end, whole_seconds = undisturbed
    before = read_output(earlier)
    assert before is not None
    output = tmp_path / "scores"
    seconds = random.Random(moment).random() * whole_seconds  # noqa: S311 - which moment, not a secret
    while True:
        shutil.copytree(earlier, output, symlinks=True)
        if server.strike(scoring(job, output, seconds=seconds)) == KILLED:
            break
        shutil.rmtree(output)  # it was quicker than the one that was timed
        seconds *= 0.8
    check_killed(job, output, before, end, server)


@pytest.mark.parametrize("moment", range(full_or(1, 8)))
def test_killed_with_its_worker_processes(
    moment: int,
    job: Path,
    earlier: Path,
    undisturbed: tuple[Seen, float],
    server: Server,
    programs: Programs,
    tmp_path: Path,
) -> None:
    """When so many units are done, and a bit."""
    before = read_output(earlier)
    assert before is not None
    output = shutil.copytree(earlier, tmp_path / "scores", symlinks=True)
    chance = random.Random(moment)  # noqa: S311 - which moment, not a secret
    with forked(programs, "pipelines.score", *flags_of(job, output, *FLAGS, *PROCESSES)) as process:
        wait_for_units(chance.randrange(1, SHARDS * 3 // 4), process, output)
        time.sleep(chance.random() / 20)
        assert len(workers_of(process)) == 2
        process.kill_group()
        assert process.wait(60) == KILLED
        gone_within(60, process.pid)
    check_killed(job, output, before, undisturbed[0], server)


PROCESSES = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")


def wait_for_units(units: int, process: Program, output: Path) -> None:
    deadline = time.monotonic() + 120
    while len(list(output.glob("_tmp/*/done/*.json"))) < units:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)


def workers_of(process: Program) -> list[psutil.Process]:
    """Beam's worker processes, without the shells that started them."""
    below = psutil.Process(process.pid).children(recursive=True)
    return [
        p for p in below if p.cmdline()[1:] == ["-m", "apache_beam.runners.worker.sdk_worker_main"]
    ]
