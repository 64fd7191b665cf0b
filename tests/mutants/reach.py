"""Which tests execute which line: measured in one pass, and kept until a file changes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import hashlib
import json
from pathlib import Path
import sys
from typing import Any

import pytest

from tests.mutants.mutations import REPOSITORY, ROOMS, Mutation
from tests.mutants.near import importing_test_files
from tests.mutants.process import Fork, in_turn, run_pytest

KEPT = REPOSITORY / "build/mutants"
_LONGEST_PASS_SECONDS = 7_200.0


@dataclass(frozen=True)
class Reach:
    """What the pass found.

    Attributes:
        seconds: of each test that passed, by node id.
        tests_of: by file and line number, the tests that execute it.
        failed: tests that failed without any mutation, and so tell nothing.
    """

    seconds: dict[str, float]
    tests_of: dict[str, dict[int, frozenset[str]]]
    failed: tuple[str, ...]

    def tests_for(self, mutation: Mutation) -> list[str]:
        """Return the tests that execute a mutation, nearest first, and of equally near ones the
        quick ones first.

        What runs when its module is imported counts for every test that executes a function of the
        module, or imports it to look at its constants: who imports it first is chance.
        """
        lines = self.tests_of.get(mutation.file, {})
        found: frozenset[str] = frozenset()
        if mutation.in_function:
            found = lines.get(mutation.line, frozenset())
            statement = range(mutation.first_line, mutation.last_line + 1)
            found = found or frozenset().union(*(lines.get(line, ()) for line in statement))
        else:
            files = importing_test_files(mutation.file)
            importing = (test for test in self.seconds if test.partition("::")[0] in files)
            found = frozenset(importing).union(*lines.values())
        return sorted(found, key=lambda test: (_distance(test, mutation.file), self.seconds[test]))


def _distance(test: str, file: str) -> int:
    """0 for the tests of a file, 1 for those of its folder, 2 for others."""
    path = Path(test.partition("::")[0])
    mirrored = Path("tests", file)
    if path.parent != mirrored.parent:
        return 2
    return int(path.name != f"test_{mirrored.name}")


def reach_of(tests: Sequence[str]) -> tuple[Reach, bool]:
    """Return what the tests reach, and whether it had to be measured anew.

    Args:
        tests: pytest's arguments that choose them.

    Raises:
        RuntimeError: the pass could not be made.
    """
    digest = _digest(tests)
    kept = KEPT / f"reach-{digest}.json"
    if kept.exists():
        return _read(kept), False
    KEPT.mkdir(parents=True, exist_ok=True)
    for old in KEPT.glob("reach-*.json"):
        old.unlink()
    start = [lambda: Fork(lambda folder: _measure(tests, folder, kept), _LONGEST_PASS_SECONDS)]
    ((_, how),) = list(in_turn(start, jobs=1))
    if not kept.exists():
        raise RuntimeError(
            f"the pass over the tests ended with status {how.status}:\n{how.log[-4000:]}"
        )
    return _read(kept), True


def _digest(tests: Sequence[str]) -> str:
    """Return a digest of all that decides which test executes which line."""
    digest = hashlib.sha256(json.dumps([sys.version, *tests]).encode())
    digest.update((REPOSITORY / "pyproject.toml").read_bytes())
    for path in (p for room in (*ROOMS, "tests") for p in sorted((REPOSITORY / room).rglob("*"))):
        if path.suffix in (".py", ".yaml") and path.parent.name != "mutants":
            digest.update(f"{path.relative_to(REPOSITORY)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _measure(tests: Sequence[str], folder: Path, kept: Path) -> int:
    import coverage

    rooms = [str(REPOSITORY / room) for room in ROOMS]
    measured = coverage.Coverage(
        data_file=str(folder / "coverage"), source=rooms, config_file=False
    )
    watch = _Watch(measured)
    measured.start()
    run_pytest(tests, folder, [watch])
    measured.stop()
    measured.save()
    if not watch.seconds:
        return 1
    numbers = {test: number for number, test in enumerate(watch.seconds)}
    lines = {
        Path(file).relative_to(REPOSITORY).as_posix(): _numbered(measured.get_data(), file, numbers)
        for file in measured.get_data().measured_files()
    }
    content = {"tests": watch.seconds, "failed": sorted(watch.failed), "lines": lines}
    part = kept.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.replace(kept)
    return 0


def _numbered(data: Any, file: str, numbers: dict[str, int]) -> dict[int, list[int]]:
    by_line = data.contexts_by_lineno(file)
    return {line: [numbers[t] for t in tests if t in numbers] for line, tests in by_line.items()}


def _read(kept: Path) -> Reach:
    content = json.loads(kept.read_text())
    failed = set(content["failed"])
    tests = list(content["tests"])
    tests_of = {
        file: {int(n): frozenset(tests[i] for i in those) - failed for n, those in lines.items()}
        for file, lines in content["lines"].items()
    }
    return Reach(content["tests"], tests_of, tuple(content["failed"]))


class _Watch:
    """Tells coverage which test runs; notes how long each took and which failed."""

    def __init__(self, measured: Any) -> None:
        self._measured = measured
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._measured.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._measured.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            return
        before = self.seconds.get(report.nodeid, 0.0)
        self.seconds[report.nodeid] = before + report.duration
        if report.failed:
            self.failed.add(report.nodeid)
