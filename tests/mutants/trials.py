"""One trial per mutation: the tests that reach it, in a fork that has it, until one fails.

The files that mirror the mutated one come first, for they find most and needs no measured pass; what
lives on there is tried with every test that reaches it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
import os
from pathlib import Path
import sys

import pytest

from tests.mutants.mutations import Mutation
from tests.mutants.process import Ended, Fork, in_turn, run_pytest, use_mutated
from tests.mutants.reach import Reach

FOUND, LIVED, NOT_REACHED, EQUIVALENT = "found", "lived", "not reached", "equivalent"
# A process collects tests for a while; a machine that does other things beside takes longer.
_START_SECONDS = 60.0
_SLOWER = 4.0
# A file that mirrors another takes less; one that takes longer is left to the tests whose time is known.
SOME_FILES_SECONDS = 240.0
_PASSED, _WITHOUT_A_TEST = 0, 5
_CONTROL_SECONDS = 3_600.0


@dataclass(frozen=True)
class Verdict:
    """What became of a mutation.

    Attributes:
        outcome: FOUND, LIVED, NOT_REACHED or EQUIVALENT.
        by: node id of the test that found it, or `timeout`, or how the process ended.
        tests: how many tests were meant to try it; `left_out`: how many more reach it that the
            limit on time left out.
        seconds: how long it took.
    """

    mutation: Mutation
    outcome: str
    by: str = ""
    tests: int = 0
    left_out: int = 0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """Return it as JSON holds it."""
        return {**asdict(self), "mutation": self.mutation.name, "line": self.mutation.line}


def try_imported(
    mutations: Sequence[Mutation],
    tests: Mapping[Mutation, list[str]],
    jobs: int,
    tell: Callable[[Verdict], None],
) -> list[Verdict]:
    """Try mutations in processes that import the mutated file, and return what tests found by failing.

    What no test found by failing is none of the result: without a measured pass, a file that takes long
    or cannot be read says nothing yet.

    Args:
        tests: names of those that try each mutation; none of one that is not there.
        jobs: how many at a time.
        tell: called with each verdict when it is known.
    """
    tried = [mutation for mutation in mutations if tests.get(mutation)]
    starts = [_start_imported(mutation, tests[mutation]) for mutation in tried]
    found = []
    for at, ended in in_turn(starts, jobs):
        verdict = verdict_of(tried[at], ended, tests=0, left_out=0)
        if verdict.outcome == FOUND and "::" in verdict.by:
            found.append(verdict)
            tell(verdict)
    return found


def try_all(
    mutations: Sequence[Mutation],
    reach: Reach,
    at_most_seconds: float,
    jobs: int,
    tell: Callable[[Verdict], None],
) -> list[Verdict]:
    """Try every mutation, `jobs` at a time, and return what became of each, in their order.

    Args:
        at_most_seconds: tests of one mutation take no longer than that together, as measured in the
            pass; at least one is run.
        tell: called with each verdict when it is known.
    """
    verdicts: dict[int, Verdict] = {}
    starts: list[Callable[[], Fork]] = []
    chosen: list[tuple[int, list[str], int]] = []
    for number, mutation in enumerate(mutations):
        reaching = reach.tests_for(mutation)
        tests = list(_within(reaching, reach.seconds, at_most_seconds))
        if not tests:
            verdicts[number] = Verdict(mutation, NOT_REACHED)
            tell(verdicts[number])
            continue
        chosen.append((number, tests, len(reaching) - len(tests)))
        starts.append(_start(mutation, tests, reach.seconds))
    for at, ended in in_turn(starts, jobs):
        number, tests, left_out = chosen[at]
        verdicts[number] = verdict_of(mutations[number], ended, len(tests), left_out)
        tell(verdicts[number])
    return [verdicts[number] for number in range(len(mutations))]


def failing_anyway(tests: Iterable[str]) -> set[str]:
    """Return those of some tests that fail in a fork without any mutation."""
    wanted = sorted({test for test in tests if "::" in test})
    if not wanted:
        return set()
    start = [lambda: Fork(lambda folder: _run(None, wanted, folder), _CONTROL_SECONDS)]
    ((_, ended),) = list(in_turn(start, jobs=1))
    return set(failures(ended.log))


def _start_imported(mutation: Mutation, tests: list[str]) -> Callable[[], Fork]:
    seconds = _START_SECONDS + SOME_FILES_SECONDS
    return lambda: Fork(lambda folder: _run(mutation, tests, folder), seconds)


def _start(mutation: Mutation, tests: list[str], seconds: dict[str, float]) -> Callable[[], Fork]:
    expected = sum(seconds[test] for test in tests)
    return lambda: Fork(
        lambda folder: _run(mutation, tests, folder), _START_SECONDS + _SLOWER * expected
    )


def _run(mutation: Mutation | None, tests: list[str], folder: Path) -> int:
    if mutation is not None:
        use_mutated(mutation)
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    flags = ["--exitfirst"] if mutation is not None else []
    return run_pytest([*flags, *files], folder, [ChosenTests(tests)])


class ChosenTests:
    """Runs these tests and no others of their files, in this order, and says which fails.

    Without any, it runs what there is.
    """

    def __init__(self, tests: Sequence[str] = ()) -> None:
        self._place = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if not self._place:
            return
        items[:] = sorted(
            (item for item in items if item.nodeid in self._place),
            key=lambda item: self._place[item.nodeid],
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os.write(sys.__stderr__.fileno(), f"\n{_FAILED}{report.nodeid}\n".encode())


_FAILED = "mutants: failed: "


def failures(log: str) -> Iterator[str]:
    """Return the tests that a log tells of as failed."""
    return (line.removeprefix(_FAILED) for line in log.splitlines() if line.startswith(_FAILED))


def verdict_of(mutation: Mutation, ended: Ended, tests: int, left_out: int) -> Verdict:
    """Return what became of a mutation by how the process that tried it ended."""
    outcome = LIVED if ended.status in (_PASSED, _WITHOUT_A_TEST) else FOUND
    by = "" if ended.status == _PASSED else next(failures(ended.log), _how(ended))
    return Verdict(mutation, outcome, by, tests, left_out, round(ended.seconds, 1))


def _how(ended: Ended) -> str:
    if ended.status is None:
        return "timeout"
    if ended.status == _WITHOUT_A_TEST:
        return "nothing: its tests have other names than in the pass"
    if ended.status < 0:
        return f"signal {-ended.status}"
    return (
        "tests cannot be collected" if ended.status in (2, 4) else f"pytest status {ended.status}"
    )


def _within(tests: Sequence[str], seconds: dict[str, float], most: float) -> Iterator[str]:
    """Take tests in their order within the limit; one that does not fit is passed over."""
    spent = 0.0
    for number, test in enumerate(tests):
        if number and spent + seconds[test] > most:
            continue
        spent += seconds[test]
        yield test
