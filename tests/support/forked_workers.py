"""Run pytest on processes that are forked once all tests are collected: `python -m tests.support.forked_workers --workers 2 ...`.

Comes in: pytest's own flags, and the number of workers. Goes out: what pytest shows, and its exit status. A worker of pytest-xdist would
import torch, Beam and all tests for itself; one that is forked has them, and shares their memory. It takes a turn, which is a file of
tests or a folder (`turns.py`), and another one when that is done.

    collect, in this process --+--> worker 0: turn, turn, turn ... --+
                               +--> worker 1: turn, turn ...       --+--> reports, shown by this process
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
import gc
from itertools import chain, pairwise
import mmap
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
import os
from pathlib import Path
import shutil
import signal
import sys
import time
import traceback
from typing import Any, Literal, NamedTuple
import warnings

import pytest

from tests.support.turns import turn_of

_NUMBER_BYTES = 4
# A file system in memory, which Linux has and which small containers give little room.
_MEMORY = Path("/dev/shm")  # noqa: S108 - what pytest makes there is private
_ROOM_BYTES = 2 << 30
# What pytest asks for the folder of its own folder.
_PLACE = "PYTEST_DEBUG_TEMPROOT"
# Each message wakes the process that shows them, which takes as long as a small test.
_BETWEEN_MESSAGES_SECONDS = 0.1
_Warning = tuple[str, type[Warning], str, int]


class _Passed(NamedTuple):
    """All that a report says of a phase of a test that passed without a word, as nearly all do."""

    when: Literal["setup", "call", "teardown"]
    duration: float
    start: float
    stop: float


@dataclass(frozen=True)
class _Worker:
    """A process that runs tests.

    Attributes:
        pid: the process.
        messages: what it tells: what some tests gave, in their order, a traceback when it gives up, None when it has run all.
        current: the number of the test that it runs, in memory that both processes see.
    """

    pid: int
    messages: Connection
    current: mmap.mmap


@dataclass(frozen=True)
class _Told:
    """What pytest told of one test, in a form that can be sent.

    Attributes:
        number: of the test.
        reports: of its setup, of itself and of its teardown.
        warnings: the hook's arguments and what the warning is made of.
    """

    number: int
    reports: list[_Passed | dict[str, Any]] = field(default_factory=list)
    warnings: list[tuple[dict[str, Any], _Warning]] = field(default_factory=list)


class ForkedWorkers:
    """A plugin of pytest that runs what was collected on so many workers."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def pytest_report_header(self) -> str:
        """Say how many workers there are, and where temporary files lie."""
        place = os.environ.get(_PLACE, "the usual place")
        return f"{self._workers} forked workers, temporary files in {place}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool | None:
        """Fork the workers, show what they report, and miss none of the tests."""
        if session.testsfailed or session.config.option.collectonly:
            return None  # pytest knows what to say
        # Made by the first who asks, which is to be none of the workers.
        session.config._tmp_path_factory.getbasetemp()
        turns = _by_turn(session.items)
        queue = _queue_of(len(turns))
        workers: list[_Worker] = []
        try:
            for _ in range(self._workers):
                workers.append(_fork(session, turns, queue, workers))
            reported = _show_reports(session, workers)
        finally:
            os.close(queue)
            _end(workers)
        if reported != len(session.items):
            raise RuntimeError(f"{len(session.items) - reported} tests were not run")
        return True

    def pytest_unconfigure(self) -> None:
        """Let nobody look for leftovers among a million objects: this process ends at once."""
        gc.freeze()


def _by_turn(items: Sequence[pytest.Item]) -> list[list[pytest.Item]]:
    turns: dict[str, list[pytest.Item]] = {}
    for item in items:
        turns.setdefault(turn_of(item.nodeid), []).append(item)
    return list(turns.values())


def _queue_of(turns: int) -> int:
    """Return the end of a pipe from which every worker takes the numbers of turns, until it is empty."""
    queue, write_end = os.pipe()
    # A pipe holds 64 KiB, sixteen thousand turns: nobody waits here.
    os.write(write_end, b"".join(number.to_bytes(_NUMBER_BYTES) for number in range(turns)))
    os.close(write_end)
    return queue


def _take_turns(queue: int) -> Iterator[int]:
    while taken := os.read(queue, _NUMBER_BYTES):
        yield int.from_bytes(taken)


def _fork(
    session: pytest.Session,
    turns: Sequence[Sequence[pytest.Item]],
    queue: int,
    others: Sequence[_Worker],
) -> _Worker:
    messages, sending = Pipe(duplex=False)
    current = mmap.mmap(-1, _NUMBER_BYTES)
    # What is still to be written would be written by both.
    _flush(session.config)
    with warnings.catch_warnings():
        # Threads of libraries that wait for work stay behind, and libraries start them anew.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid != 0:
        sending.close()
        return _Worker(pid, messages, current)
    # Held here, too, these would hide from the others that nobody listens any more.
    for connection in (messages, *(other.messages for other in others)):
        connection.close()
    _work(session, turns, _Teller(session, sending, current), queue, f"gw{len(others)}")
    os._exit(0)


def _flush(config: pytest.Config) -> None:
    terminal: Any = config.pluginmanager.getplugin("terminalreporter")
    # Workers take turns, and each turn would name a file again.
    terminal.showfspath = False
    terminal.flush()
    sys.stdout.flush()
    sys.stderr.flush()


class _Teller:
    """A worker's plugin: it keeps what pytest tells of tests, and sends it some times a second."""

    def __init__(self, session: pytest.Session, sending: Connection, current: mmap.mmap) -> None:
        self._session, self._sending, self._current = session, sending, current
        self._numbers = {item: number for number, item in enumerate(session.items)}
        self._told = _Told(0)
        self._waiting: list[_Told] = []
        self._sent = time.monotonic()

    def run(self, item: pytest.Item, following: pytest.Item | None) -> None:
        """Run a test, and tell of it; `following` tells which shared fixtures are to stay."""
        number = self._numbers[item]
        self._current[:] = number.to_bytes(_NUMBER_BYTES)
        self._told = _Told(number)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        self._waiting.append(self._told)
        if time.monotonic() > self._sent + _BETWEEN_MESSAGES_SECONDS:
            self._send_waiting()

    def _send_waiting(self) -> None:
        self._sending.send(self._waiting)
        self._waiting = []
        self._sent = time.monotonic()

    def end(self, trace: str | None = None) -> None:
        """Tell what waits, and that there is no more to come, and why where something went wrong."""
        # Who would hear it may have gone.
        with suppress(OSError):
            self._send_waiting()
            self._sending.send(trace)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._told.reports.append(_shorten(report) or self._serialise(report))

    def _serialise(self, report: pytest.TestReport) -> dict[str, Any]:
        config = self._session.config
        data: dict[str, Any] = config.hook.pytest_report_to_serializable(
            config=config, report=report
        )
        return data

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: Any
    ) -> None:
        what = warning_message
        made_of = (str(what.message), what.category, what.filename, what.lineno)
        arguments = {"when": when, "nodeid": nodeid, "location": location}
        self._told.warnings.append((arguments, made_of))


def _shorten(report: pytest.TestReport) -> _Passed | None:
    """Return what a report says, where that is short; None where it says more."""
    more = report.longrepr or report.sections or report.user_properties
    # What a plugin adds to a report is more, too.
    if not report.passed or more or vars(report).keys() != _PLAIN:
        return None
    return _Passed(report.when, report.duration, report.start, report.stop)


def _lengthen(passed: _Passed, nodeid: str, location: Any, keywords: Any) -> pytest.TestReport:
    when, duration, start, stop = passed
    return pytest.TestReport(
        nodeid, location, keywords, "passed", None, when, (), duration, start, stop
    )


_PLAIN = vars(_lengthen(_Passed("call", 0, 0, 0), "", ("", 0, ""), {})).keys()


def _work(
    session: pytest.Session,
    turns: Sequence[Sequence[pytest.Item]],
    teller: _Teller,
    queue: int,
    name: str,
) -> None:
    """Run tests until no turn is left, or until they fail too often."""
    try:
        _become_worker(session.config, name)
        session.config.pluginmanager.register(teller)
        tests = (test for turn in _take_turns(queue) for test in turns[turn])
        for item, following in pairwise(chain(tests, [None])):
            assert item is not None
            teller.run(item, following)
            if session.shouldfail or session.shouldstop:
                break
        session.config._ensure_unconfigure()
        teller.end()
    except BaseException:  # noqa: BLE001 - what was forked must not go on as its parent would
        teller.end(traceback.format_exc())


def _become_worker(config: Any, name: str) -> None:
    """Give this process temporary folders and captured streams of its own, and no terminal."""
    # By this, plugins know a worker, as those of pytest-xdist, and leave caches and reports to the parent.
    config.workerinput = {"workerid": name}
    folders = config._tmp_path_factory
    own = folders.getbasetemp() / name
    own.mkdir(mode=0o700)
    folders._basetemp = own
    config.pluginmanager.unregister(name="terminalreporter")
    capture = config.pluginmanager.getplugin("capturemanager")
    # The files behind the streams are the parent's and those of all its workers.
    capture.stop_global_capturing()
    capture.start_global_capturing()
    capture.suspend_global_capture(in_=True)


def _show_reports(session: pytest.Session, workers: Sequence[_Worker]) -> int:
    """Hand what the workers tell to pytest until all of them have ended, and return of how many tests it was."""
    working = {worker.messages: worker for worker in workers}
    shown = 0
    while working:
        for connection in wait(list(working)):
            assert isinstance(connection, Connection)
            message = _receive(session, working[connection])
            if isinstance(message, list):
                for told in message:
                    _show(session, told)
                shown += len(message)
            elif message is None:
                del working[connection]
            else:
                raise RuntimeError(f"a worker gave up\n{message}")
    return shown


def _receive(session: pytest.Session, worker: _Worker) -> Any:
    """Return a worker's next message; one that ends without a last word is told by the test that it ran."""
    try:
        return worker.messages.recv()
    except EOFError:
        item = session.items[int.from_bytes(worker.current)]
        raise RuntimeError(f"a worker ended in {item.nodeid}") from None


def _show(session: pytest.Session, told: _Told) -> None:
    item, config, hook = session.items[told.number], session.config, session.config.hook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for arguments, made_of in told.warnings:
        arguments["warning_message"] = warnings.WarningMessage(*made_of)
        hook.pytest_warning_recorded.call_historic(kwargs=arguments)
    keywords = dict.fromkeys(item.keywords, 1)
    for data in told.reports:
        if isinstance(data, _Passed):
            report = _lengthen(data, item.nodeid, item.location, keywords)
        else:
            report = hook.pytest_report_from_serializable(config=config, data=data)
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


def _end(workers: Sequence[_Worker]) -> None:
    """Let no worker outlive this run; those that have told all are about to end."""
    for worker in workers:
        worker.messages.close()
        os.kill(worker.pid, signal.SIGTERM)
        os.waitpid(worker.pid, 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run pytest, and return its exit status.

    Args:
        arguments: pytest's, `--workers`, and `--in_memory` for temporary files that are neither large nor many.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--in_memory", action="store_true")
    own, others = parser.parse_known_args(arguments)
    if own.in_memory:
        _keep_files_in_memory()
    return int(pytest.main(others, plugins=[ForkedWorkers(own.workers)]))


def _keep_files_in_memory() -> None:
    """Let temporary files lie in memory where there is room, as a disk takes ten times as long to make and to remove a folder."""
    if _PLACE in os.environ or not os.access(_MEMORY, os.W_OK):
        return
    if shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES:
        os.environ[_PLACE] = str(_MEMORY)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # As with the workers, nobody waits until a million objects are taken apart.
    os._exit(status)
