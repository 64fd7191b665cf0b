"""Tell where the time of the tests goes: `python -m pytest -p tests.support.seconds ...`, with or without workers.

Comes in: any run of the tests. Goes out, at its end: the seconds of a core (user and system, of the tests and of the programs that they
start) and of the clock by folder, for quick tests and for others, and the files and the tests that took most. A core's seconds hardly
change when others use the machine, so two runs can be compared by them. With several workers, programs that are forked count with the
worker whose test has started their server.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
import json
import os
from pathlib import PurePath
import resource
import time
from typing import Any

import psutil
import pytest

from tests.support.repository import REPOSITORY

# Folders of folders that have a line of their own.
_OWN_LINES = ("tests/pipelines/packing", "tests/pipelines/versions", "tests/pipelines/evaluating")
_SHOWN = 40
_NAME = "seconds"
# What the last run took, for `tests.support.seconds_table`.
SAVED = REPOSITORY / "build/seconds.json"


@dataclass(frozen=True)
class Took:
    """What one test took: its name, seconds of a core and of the clock, and whether `make quick` runs it."""

    name: str
    core: float
    clock: float
    quick: bool


_all: list[Took] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note what stands on the clocks before a test, and before what its fixtures set up."""
    item.stash[_BEGAN] = _core_seconds(item), time.perf_counter()
    return (yield)


_BEGAN = pytest.StashKey[tuple[float, float]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    """Give the last report of a test what it took; reports travel from a worker to who tells."""
    report = yield
    if call.when == "teardown":
        core_began, clock_began = item.stash[_BEGAN]
        clock = time.perf_counter() - clock_began
        # What a server leaves behind counts with the test in which somebody waits for it, which took
        # no more than all cores had.
        core = min(_core_seconds(item) - core_began, clock * (os.cpu_count() or 1))
        report.user_properties.append((_NAME, (core, clock, _is_quick(item))))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what a test took, in the process that tells."""
    if report.when != "teardown":
        return
    took = dict(report.user_properties)[_NAME]
    _all.append(Took(report.nodeid, *took))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write the tables, and keep what they are made of."""
    SAVED.parent.mkdir(exist_ok=True)
    values = [astuple(test) for test in _all]
    SAVED.write_text(json.dumps(values))
    for title, lines in (
        ("folder: core of quick tests, core and clock of all", list_folders(_all)),
        ("files that take most of a core", _by_file(_all)),
        ("tests that take most of a core", _by_test(_all)),
    ):
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)


def _is_quick(item: pytest.Item) -> bool:
    marks = {mark.name for mark in item.iter_markers()}
    return marks.isdisjoint({"program", "slow"})


def _core_seconds(item: pytest.Item) -> float:
    """Return user and system seconds of this process and of its children, of which only programs have some that still run."""
    # To read it from /proc takes as long as many a test, and it stands there in hundredths of a second.
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time() + ended.ru_utime + ended.ru_stime
    if item.get_closest_marker("program") is None:
        return own
    return own + sum(map(_of_process, psutil.Process().children(recursive=True)))


def _of_process(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        # It has ended since, and counts with whoever waited for it.
        return 0.0
    ended = times.children_user + times.children_system
    return times.user + times.system + ended


def folder_of(name: str) -> str:
    """Return the line of the table that a test belongs to."""
    path = PurePath(name.partition("::")[0])
    for own in _OWN_LINES:
        if path.is_relative_to(own):
            return own
    return "/".join(path.parts[:2])


def list_folders(tests: Iterable[Took]) -> list[str]:
    """Return the lines of the first table."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for test in tests:
        quick = test.core if test.quick else 0.0
        for place in (folder_of(test.name), "tests"):
            parts = (quick, test.core, test.clock)
            sums[place] = [before + part for before, part in zip(sums[place], parts, strict=True)]
    return [
        f"{q:8.1f} {core:8.1f} {clock:8.1f}  {f}" for f, (q, core, clock) in sorted(sums.items())
    ]


def _by_file(tests: Iterable[Took]) -> list[str]:
    sums: dict[str, float] = defaultdict(float)
    for test in tests:
        sums[test.name.partition("::")[0]] += test.core
    largest = sorted(sums.items(), key=lambda pair: -pair[1])[:_SHOWN]
    return [f"{core:8.2f}  {name}" for name, core in largest]


def _by_test(tests: Iterable[Took]) -> list[str]:
    largest = sorted(tests, key=lambda test: -test.core)[:_SHOWN]
    return [f"{test.core:8.2f} {test.clock:8.2f}  {test.name}" for test in largest]
