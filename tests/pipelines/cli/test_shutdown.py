"""What is cancelled when a program is stopped, and that nothing which hangs or fails keeps it."""

from collections.abc import Iterator
import threading

import pytest

from pipelines.cli import shutdown
from pipelines.cli.shutdown import cancel_jobs, cancelled_when_stopped
from tests.support.programs import Programs


@pytest.fixture(autouse=True)
def _jobs_of_this_test_alone() -> Iterator[None]:
    yield
    shutdown._jobs.clear()


class Job:
    """A job elsewhere; `cancel` notes the thread that it was called in."""

    def __init__(self, error: Exception | None = None) -> None:
        self.threads: list[threading.Thread] = []
        self.error = error

    def cancel(self) -> None:
        self.threads.append(threading.current_thread())
        if self.error is not None:
            raise self.error


def test_a_job_is_cancelled_while_its_block_runs_and_when_it_was_interrupted() -> None:
    job = Job()
    with cancelled_when_stopped(job.cancel):
        assert cancel_jobs()
    assert cancel_jobs()
    assert len(job.threads) == 1, "the block is over"
    with pytest.raises(ValueError, match="failed"), cancelled_when_stopped(job.cancel):
        raise ValueError("failed")
    assert cancel_jobs()
    assert len(job.threads) == 1, "it has failed by itself"
    with pytest.raises(KeyboardInterrupt), cancelled_when_stopped(job.cancel):
        raise KeyboardInterrupt
    assert cancel_jobs()
    assert len(job.threads) == 2


def test_a_cancellation_that_fails_is_no_confirmation() -> None:
    job = Job(OSError("the cluster is gone"))
    with cancelled_when_stopped(job.cancel):
        assert not cancel_jobs()
    assert len(job.threads) == 1


def test_a_cancellation_that_hangs_is_waited_for_no_longer_than_said_and_keeps_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutdown, "_CANCEL_SECONDS", 0.01)
    hangs, go_on = threading.Event(), threading.Event()
    job = Job()

    def hang() -> None:
        job.cancel()
        hangs.set()
        go_on.wait(60)

    with cancelled_when_stopped(hang):
        assert not cancel_jobs()
    assert hangs.wait(60)
    (thread,) = job.threads
    assert thread.daemon
    go_on.set()
    thread.join()


def test_threads_of_a_runner_that_failed_say_nothing_but_for_debugging(
    programs: Programs,
) -> None:
    run = programs.run("tests.pipelines.cli.late_words")
    assert (run.returncode, run.stderr) == (2, "error: no\n")
    debugged = programs.run("tests.pipelines.cli.late_words", "--debug")
    assert debugged.returncode == 2
    assert "Traceback of a worker\n" in debugged.stderr
    assert "Traceback of a server that is gone\n" in debugged.stderr
