"""A model in a process of its own: what a file does to it costs one line, and it ends with its worker."""

from concurrent.futures import ThreadPoolExecutor
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from configs.errors import ModelError, WorkerError
from model_zoo.engines.child.process import ChildError, ChildProcess, start_child
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.program
STAND_INS = "tests.model_zoo.engines.child.stand_ins"


def start(order: str, threads: int = 1) -> ChildProcess:
    return start_child(STAND_INS, order.encode(), {}, threads, what="m/model.x")


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    # One that ended and was not waited for yet has its number still.
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_for_end(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


def test_rows_go_there_and_scores_come_back_from_several_threads() -> None:
    child = start("double", threads=2)
    rows = [np.full((number, 3), number, np.float32) for number in range(50)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda x: child({"x": x}, x.nbytes)["y"], rows))
    for x, y in zip(rows, found, strict=True):
        np.testing.assert_array_equal(y, x * 2)


def test_what_the_library_refuses_is_an_error_of_those_rows() -> None:
    child = start("double")
    with pytest.raises(ChildError, match="a number below 0"):
        child({"x": np.float32([-1])}, 8)
    with pytest.raises(MemoryError):
        child({"x": np.zeros(101, np.float32)}, 808)
    # And the others are scored.
    assert child({"x": np.float32([1])}, 8)["y"] == [2]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("load: crash", "m/model.x: the process that computes it was ended by SIGSEGV"),
        ("load: refuse", "m/model.x: cannot be loaded: no such format"),
        ("load: memory", "m/model.x: cannot be loaded: Unable to allocate"),
    ],
)
def test_a_file_that_breaks_the_library_costs_one_line(order: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as refused:
        start(order)
    assert "\n" not in str(refused.value)


def test_a_row_that_breaks_it_costs_one_line_and_no_thread_waits_for_ever() -> None:
    child = start("crash", threads=2)
    assert child({"x": np.float32([1])}, 4)["y"] == [1]
    for _ in range(3):
        with pytest.raises(ModelError, match="was ended by SIGABRT: the file is broken"):
            child({"x": np.float32([-1])}, 4)


def test_more_numbers_than_scores_are_no_answer() -> None:
    child = start("double")
    with pytest.raises(ModelError, match="was ended by SIGKILL"):
        child({"x": np.zeros(10, np.float32)}, 8)
    assert wait_for_end(child.pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_end_from_outside_is_not_said_of_the_file(number: signal.Signals) -> None:
    child = start("double")
    os.kill(child.pid, number)
    assert wait_for_end(child.pid)
    with pytest.raises(WorkerError) as raised:
        child({"x": np.float32([1])}, 8)
    message = str(raised.value)
    assert f"was ended by {number.name} from outside" in message
    assert "run again to resume" in message


def test_what_computes_without_end_is_ended_where_the_caller_says_how_long() -> None:
    child = start("hold")
    with pytest.raises(
        ModelError, match=r"m/model.x: computing 3 rows of it takes longer than 0.2 s"
    ):
        child({"x": np.zeros(3)}, 24, most_seconds=0.2)
    assert wait_for_end(child.pid)


def test_where_a_library_was_in_its_source_is_not_told() -> None:
    with pytest.raises(ModelError) as raised:
        start("load: trace")
    expected = "m/model.x: cannot be loaded: Check failed: a == b; pack the model again with"
    assert str(raised.value).startswith(expected)
    assert "[bt]" not in str(raised.value)


@pytest.mark.parametrize("order", ["words", "shape", "nested"])
def test_an_answer_of_a_process_that_a_file_has_taken_over_costs_one_line(order: str) -> None:
    child = start(f"answer: {order}")
    with pytest.raises(ModelError, match=r"m/model.x: the process that computes it was ended"):
        child({"x": np.float32([1])}, 8)
    assert wait_for_end(child.pid)


def test_it_knows_no_secret_and_writes_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    child = start("tell")
    pid, strange, writes, _ = child({"x": np.zeros(1)}, 64)["y"]
    assert pid == child.pid != os.getpid()
    assert (strange, writes) == (0, 0)


def test_it_ends_when_nobody_has_it_any_more() -> None:
    child = start("double")
    pid = child.pid
    assert is_alive(pid)
    del child
    assert wait_for_end(pid)


def test_it_ends_with_its_worker_whatever_it_does() -> None:
    program = (
        "import threading, time, numpy as np\n"
        "from model_zoo.engines.child.process import start_child\n"
        f"child = start_child({STAND_INS!r}, b'hold', {{}}, 1, 'm')\n"
        "call = threading.Thread(target=child, args=({'x': np.zeros(1)}, 8), daemon=True)\n"
        "call.start()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert worker.stdout is not None
    pid = int(worker.stdout.readline())
    # It is in its call by now, or will find that nobody is there.
    time.sleep(0.2)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    assert wait_for_end(pid)
