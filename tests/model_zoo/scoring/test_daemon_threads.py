"""Threads that make calls, and that nobody waits for when the process ends."""

from functools import partial
import gc
import subprocess
import sys
import threading
import time
import weakref

import pytest

from model_zoo.scoring.daemon_threads import DaemonThreads

DEADLINE_SECONDS = 120.0


def test_all_calls_are_made_at_the_same_time_and_waited_for() -> None:
    together = threading.Barrier(3, timeout=DEADLINE_SECONDS)
    made: list[int] = []
    DaemonThreads(3, "three").run([lambda n=n: (together.wait(), made.append(n)) for n in range(6)])
    assert sorted(made) == list(range(6))


def test_the_first_error_is_raised_and_later_calls_are_not_begun() -> None:
    made: list[int] = []
    is_raised = threading.Event()
    threads = DaemonThreads(1, "one")

    def fail() -> None:
        raise ValueError("first")

    # The thread may have begun the call behind the error by then, and is held there.
    held = partial(is_raised.wait, DEADLINE_SECONDS)
    with pytest.raises(ValueError, match="first"):
        threads.run([lambda: made.append(0), fail, held, *[lambda: made.append(1)] * 50])
    is_raised.set()
    threads.submit(lambda: made.append(2)).result()
    assert made == [0, 2]


def test_threads_end_with_their_object_and_keep_nothing_of_a_call() -> None:
    class Rows:
        pass

    threads, rows = DaemonThreads(2, "passing"), Rows()
    kept = weakref.ref(rows)
    threads.submit(lambda held=rows: None).result()
    del rows
    until(lambda: kept() is None)
    del threads
    until(lambda: not [t for t in threading.enumerate() if t.name.startswith("passing")])


def until(reached) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not reached():
        assert time.monotonic() < deadline
        gc.collect()
        time.sleep(0.01)


def test_nobody_waits_for_them_and_nothing_is_told_to_them_at_exit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[weakref.finalize[..., object]] = []

    class Noted(weakref.finalize):  # type: ignore[type-arg]
        def __init__(self, *given: object) -> None:
            super().__init__(*given)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr(weakref, "finalize", Noted)
    threads = DaemonThreads(2, "noted")
    seen = [threads.submit(threading.current_thread).result() for _ in range(4)]
    assert all(thread.daemon for thread in seen)
    assert {thread.name for thread in seen} <= {"noted-0", "noted-1"}
    assert [end.atexit for end in made] == [False]


@pytest.mark.program
def test_a_process_does_not_wait_for_a_call_that_hangs() -> None:
    """Really started: it is about how an interpreter ends."""
    program = "import threading; from model_zoo.scoring.daemon_threads import DaemonThreads; t = DaemonThreads(1, 't'); t.submit(threading.Event().wait)"
    assert (
        subprocess.run(
            [sys.executable, "-c", program], timeout=DEADLINE_SECONDS, check=False
        ).returncode
        == 0
    )
