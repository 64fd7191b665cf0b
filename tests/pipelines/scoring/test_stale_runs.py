"""What killed runs leave behind goes once a newer run of their job is published, and never under a launcher that lives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
import os
from pathlib import Path
import re
import signal
import subprocess
import sys

import pytest

from configs.errors import PublishError
from pipelines.scoring.stale_runs import launcher_lock_held
from storage.lock import claim_if_free, hold
from storage.run_folder import RunFolder
from tests.faults.counts import full_or
from tests.support.repository import REPOSITORY

Run = Callable[..., int]


def leave(output: Path, run_id: str, job: str = "breast_cancer", attempts: int = 3) -> Path:
    """What a killed run leaves: its lock, which nobody holds, a plan, and attempts."""
    folder = output / "_tmp" / run_id
    (folder / "attempts").mkdir(parents=True)
    (folder / "launcher.lock").write_text(job)
    (folder / "plan.json").write_text("{}")
    for number in range(attempts):
        (folder / f"attempts/{number}.parquet").write_bytes(b"x" * 1000)
    return folder


def test_dead_runs_of_the_job_go_when_a_newer_one_is_published(
    run_score: Run, tmp_path: Path
) -> None:
    mine, another, unmarked = (
        leave(tmp_path / "scores", name) for name in ("dead", "other", "unmarked")
    )
    (another / "launcher.lock").write_text("another_job")
    (unmarked / "launcher.lock").unlink()
    assert run_score() == 0
    assert not mine.exists()
    assert another.exists(), "another job's killed run can still be resumed"
    assert unmarked.exists(), (
        "nothing tells whether its workers live; pipelines.prune removes it by age"
    )


def test_a_run_that_was_refused_removes_nothing(run_score: Run, tmp_path: Path) -> None:
    dead = leave(tmp_path / "scores", "dead")
    assert run_score("--set", "model.batch_rows=0") == 2
    assert dead.exists()


@pytest.mark.program
def test_a_live_run_keeps_its_files_and_a_killed_one_does_not(
    run_score: Run, tmp_path: Path
) -> None:
    """A real launcher in a process of its own, stopped in the middle, then killed."""
    output = tmp_path / "scores"
    script = (
        "import sys, time\n"
        "from storage.layout import RunFolder\n"
        "from pipelines.scoring.stale_runs import launcher_lock_held\n"
        "with launcher_lock_held(RunFolder(sys.argv[1], 'live'), 'breast_cancer', False):\n"
        "    print('live', flush=True)\n"
        "    time.sleep(600)\n"
    )
    launcher = subprocess.Popen(
        [sys.executable, "-c", script, str(output)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "live\n"
        assert run_score() == 0
        assert (output / "_tmp/live/launcher.lock").exists()
        launcher.send_signal(signal.SIGKILL)
        launcher.wait(60)
        assert run_score("--set", "postprocess.threshold=0.4") == 0
        assert not (output / "_tmp/live").exists()
    finally:
        launcher.kill()
        launcher.wait(60)


def test_a_lock_that_a_cleaner_removed_is_taken_anew(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path), "run1")
    with hold(run, "job"), hold(run, "job"):
        with claim_if_free(run) as content:
            assert content is None
        Path(run.lock).unlink()
        with hold(run, "job"):
            assert Path(run.lock).exists()
    with claim_if_free(run) as content:
        assert content == "job"


LOOKS = (
    "open",
    "os.listdir",
    "os.scandir",
    "os.mkdir",
    "os.link",
    "os.rename",
    "os.remove",
    "os.rmdir",
)
_looks: list[str] | None = None


def _note_look(event: str, arguments: tuple[object, ...]) -> None:
    if _looks is not None and event in LOOKS:
        _looks.extend(str(name) for name in arguments[:2] if isinstance(name, str | os.PathLike))


@cache
def listen_from_now_on() -> None:
    """Let the interpreter tell of looks; as nobody can stop that again, not before a test asks for it."""
    sys.addaudithook(_note_look)


@contextmanager
def looks_noted() -> Iterator[list[str]]:
    """While the block runs, every path that this process opens, lists, asks the system about, or changes, in order."""
    global _looks
    listen_from_now_on()
    _looks = noted = []
    asking = {
        name: getattr(os, name) for name in ("stat", "lstat", "access", "readlink")
    }  # of these the interpreter tells no hook

    def noting(ask: Callable[..., object]) -> Callable[..., object]:
        def asked(path: object, *arguments: object, **named: object) -> object:
            noted.append(str(path))
            return ask(path, *arguments, **named)

        return asked

    try:
        for name, ask in asking.items():
            setattr(os, name, noting(ask))
        yield noted
    finally:
        _looks = None
        for name, ask in asking.items():
            setattr(os, name, ask)


def looks_of_a_start(run_score: Run, output: Path) -> tuple[list[str], list[str]]:
    """What a run looks at below its output until its plan stands there, and what from then on until its manifest does."""
    with looks_noted() as looks:
        assert run_score(output=output) == 0
    temporary = f"_tmp/{(output / 'CURRENT').read_text().strip()}"
    inside = [path.removeprefix(f"{output}/") for path in looks if path.startswith(str(output))]
    planned = inside.index(f"{temporary}/plan.json")
    published = next(
        i for i, path in enumerate(inside) if path.startswith(f"{temporary}/._manifest.json")
    )
    return inside[:planned], inside[planned:published]


def test_many_leftovers_do_not_slow_a_start(run_score: Run, tmp_path: Path) -> None:
    """A run looks at as much before its plan stands with hundreds of them as with none, and at none of them before it is published."""
    (tmp_path / "clean/_tmp").mkdir(parents=True)
    clean, _ = looks_of_a_start(run_score, tmp_path / "clean")
    for number in range(full_or(50, 500)):
        leave(tmp_path / "scores", f"dead{number}")
    start, rest = looks_of_a_start(run_score, tmp_path / "scores")
    assert len(start) == len(clean)
    assert [path for path in (*start, *rest) if "dead" in path] == []
    assert os.listdir(tmp_path / "scores/_tmp") == []


@pytest.mark.parametrize("workers_elsewhere", [False, True])
def test_a_lock_is_held_where_it_proves_something(workers_elsewhere: bool, tmp_path: Path) -> None:
    """The workers of a cluster may live when its launcher is dead."""
    run = RunFolder(str(tmp_path / "scores"), "r1")
    with launcher_lock_held(run, "job", workers_elsewhere):
        assert Path(run.lock).exists() is not workers_elsewhere
        with claim_if_free(run) as content:
            assert content is None


@pytest.mark.parametrize("is_link", [False, True])
def test_what_stands_where_the_output_goes_is_told_as_what_it_is(
    is_link: bool, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    output.symlink_to("nowhere") if is_link else output.write_text("a file")
    held = launcher_lock_held(RunFolder(str(output), "r"), "job", False)
    stands = f"{output}: cannot be written: a file, or a link to nothing, stands where a folder"
    with pytest.raises(PublishError, match=re.escape(stands)), held:
        pass
