"""Inputs that change under a run, and runs that are interrupted: the earlier run stays, and what is scored again is what nobody disturbed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from pipelines import score
from pipelines.cli.command_line import run_program
from tests.faults.programs import flags_of, forked, launched, scoring
from tests.faults.world import (
    OTHER_SETTING,
    Seen,
    check_every_row_once,
    is_one_plain_line,
    make_world,
    read_link,
    read_output,
    read_run,
    write_shard,
)
from tests.support.processes import gone_within
from tests.support.programs import Program, Programs

SHARDS, ROWS = 40, 10
# Slow for so few rows, so that there is time to disturb the run.
MANY = (
    "--set",
    "model.batch_rows=1",
    "--set",
    "source.rows_per_batch=1",
    "--set",
    "sink.rows_per_file=7",
)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test that changes its shards leaves them as they were."""
    return make_world(tmp_path_factory.mktemp("interrupts"), SHARDS, ROWS)


@pytest.fixture(scope="module")
def earlier(job: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output with a published run of another setting."""
    output = tmp_path_factory.mktemp("earlier") / "scores"
    assert score_here(job, output, *OTHER_SETTING) == 0
    return output


@pytest.fixture
def output(earlier: Path, tmp_path: Path) -> Path:
    return shutil.copytree(earlier, tmp_path / "scores", symlinks=True)


@pytest.fixture(scope="module")
def before(earlier: Path) -> Seen:
    seen = read_output(earlier)
    assert seen is not None
    return seen


@pytest.fixture(scope="module")
def undisturbed(job: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return score_whole(job, tmp_path_factory.mktemp("undisturbed") / "scores")


def score_here(job: Path, output: Path, *arguments: str) -> int:
    return run_program(score.main, ["--config", str(job), "--output", str(output), *arguments])


def score_whole(job: Path, output: Path, rows: int = SHARDS * ROWS) -> dict[str, bytes]:
    """Files of the run, which must succeed and leave nothing behind."""
    assert score_here(job, output, *MANY) == 0
    check_every_row_once(output, rows)
    assert list((output / "_tmp").iterdir()) == []
    seen = read_output(output)
    assert seen is not None
    return seen.files


def check_nothing_changed(output: Path, before: Seen) -> None:
    """For readers, and for those of the earlier run's files."""
    assert read_output(output) == before
    assert read_link(output) == before.run_id
    assert [run.name for run in (output / "runs").iterdir()] == [before.run_id]


def wait_until_under_way(output: Path, runs: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while len(list(output.glob("_tmp/*/done/*.json"))) < 3:
        assert runs()
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def check_resumes(
    job: Path,
    output: Path,
    before: Seen,
    undisturbed: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
) -> Callable[[], None]:
    """Nothing was published, what was scored is kept, and the same command ends as an undisturbed one: the check."""

    def check() -> None:
        check_nothing_changed(output, before)
        assert len(list(output.glob("_tmp/*/done/*.json"))) >= 3
        assert score_whole(job, output) == undisturbed
        assert "rows were scored by an earlier run" in capsys.readouterr().out
        assert read_run(output, before.run_id) == before

    return check


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_an_interrupted_run_ends_soon_and_resumes(
    number: signal.Signals,
    status: int,
    job: Path,
    output: Path,
    programs: Programs,
    check_resumes: Callable[[], None],
) -> None:
    with forked(programs, "pipelines.score", *flags_of(job, output, *MANY)) as process:
        check_interrupted(process, number, status, output)
    check_resumes()


@pytest.mark.program
def test_an_interrupted_run_with_worker_processes_ends_soon_and_resumes(
    job: Path, output: Path, check_resumes: Callable[[], None]
) -> None:
    """Started for real, because signal handlers and workers are set up as the interpreter starts."""
    in_processes = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    with launched(scoring(job, output, *MANY, *in_processes)) as process:
        check_interrupted(process, signal.SIGTERM, 143, output)
    check_resumes()


def check_interrupted(
    process: Program | subprocess.Popen[str], number: signal.Signals, status: int, output: Path
) -> None:
    """It ends within ten seconds of the signal, says in one line how to go on, and leaves no process."""
    wait_until_under_way(output, lambda: process.poll() is None)
    process.send_signal(number)
    began = time.monotonic()
    error = process.communicate(timeout=60)[1]
    assert time.monotonic() - began < 10
    gone_within(60, process.pid)
    assert process.returncode == status, error
    assert error.count("\n") == 1
    said = re.search(
        r"nothing was published; at least (\d+) of 400 rows are stored and stay; "
        r"at most about \d+ that were scored will be scored again; "
        r"the same command resumes where it stopped",
        error,
    )
    assert said, error
    # Workers may end another unit between the look and the end of the process.
    stored = len(list(output.glob("_tmp/*/done/[0-9]*.json"))) * ROWS
    assert 3 * ROWS <= int(said[1]) <= stored


def replaced(path: Path) -> None:
    """Another content of the same size under the same name."""
    new = path.parent.parent / "new"
    shutil.copy(path.with_name("part-00001.parquet"), new)
    new.replace(path)


def appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def score_while(job: Path, output: Path, change: Callable[[], object]) -> int:
    """Exit status of a run under which something changes when its first units are done."""
    ended = threading.Event()

    def wait_and_change() -> None:
        wait_until_under_way(output, lambda: not ended.is_set())
        change()

    with ThreadPoolExecutor(1) as pool:
        changed = pool.submit(wait_and_change)
        status = score_here(job, output, *MANY, "--quiet", "--direct_running_mode=in_memory")
        ended.set()
        changed.result()
    return status


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [pytest.param(replaced, marks=pytest.mark.beam), appended, Path.unlink],
    ids=["replaced", "appended", "deleted"],
)
def test_an_input_that_changes_under_the_run_ends_it(
    change: Callable[[Path], None],
    job: Path,
    output: Path,
    before: Seen,
    undisturbed: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is another input even when its content is back, and is scored anew to the same bytes."""
    last = job.parent / f"shards/part-{SHARDS - 1:05d}.parquet"
    content = last.read_bytes()
    try:
        status, error = score_while(job, output, lambda: change(last)), capsys.readouterr().err
        assert status == 3, error
        assert is_one_plain_line(error)
        assert last.name in error
        check_nothing_changed(output, before)
        if change is Path.unlink:
            fewer = {
                name: content
                for name, content in undisturbed.items()
                if f"part-{SHARDS - 1:05d}-" not in name
            }
            assert score_whole(job, output, (SHARDS - 1) * ROWS) == fewer
    finally:
        last.write_bytes(content)
    assert score_whole(job, output) == undisturbed
    assert read_run(output, before.run_id) == before


@pytest.mark.slow
def test_an_input_that_is_added_under_the_run_belongs_to_the_next(
    job: Path, output: Path, before: Seen, undisturbed: dict[str, bytes]
) -> None:
    new = job.parent / f"shards/part-{SHARDS:05d}.parquet"
    try:
        assert score_while(job, output, lambda: write_shard(job.parent, SHARDS, ROWS)) == 0
        assert new.exists()
        check_every_row_once(output, SHARDS * ROWS)
        first = read_output(output)
        assert first is not None
        assert first.files == undisturbed
        more = score_whole(job, output, (SHARDS + 1) * ROWS)
    finally:
        new.unlink(missing_ok=True)
    assert len(more) > len(undisturbed)
    assert {name: more.get(name) for name in undisturbed} == undisturbed
    assert [read_run(output, run.run_id) for run in (before, first)] == [before, first]
