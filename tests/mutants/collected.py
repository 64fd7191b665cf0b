"""Trials in forks of one process that has collected the tests: a fork has them in a moment.

    collect, in one process --+--> fork: a file's functions get mutated code, and its tests run
                              +--> fork ...

Only bodies of functions can be given so, and plain numbers of a module that no other module holds. What
was computed while tests were collected stays as it was. So what is found here is found; and what lives is
settled where none of its functions was called by then, or it is to be tried by a process that imports it
mutated.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
import cProfile
from functools import partial
from itertools import pairwise
import os
from pathlib import Path
import pickle
import tempfile
from types import FunctionType
from typing import Any, NamedTuple
import warnings

import pytest

from tests.mutants.given import (
    Functions,
    changed_places,
    functions_by_file,
    give_mutation,
    places_in,
)
from tests.mutants.mutations import Mutation
from tests.mutants.process import Fork, in_turn, run_pytest, use_mutated
from tests.mutants.trials import (
    FOUND,
    LIVED,
    SOME_FILES_SECONDS,
    ChosenTests,
    Verdict,
    failures,
    verdict_of,
)

_LONGEST_SECONDS = 7_200.0
_Tests = dict[Mutation, list[pytest.Item]]


class Tried(NamedTuple):
    """What became of mutations.

    Attributes:
        settled: those verdicts that are.
        tests: names of the tests that are to try each of the other mutations, nearest first.
    """

    settled: list[Verdict]
    tests: dict[Mutation, list[str]]


def try_collected(
    mutations: Sequence[Mutation],
    marks: str,
    files_of: Callable[[str], tuple[str, ...]],
    jobs: int,
    tell: Callable[[Verdict], None],
) -> Tried:
    """Try mutations, and return what is known of them.

    Args:
        marks: as pytest's `-m` has them.
        files_of: return the test files that try a file of ours, the nearest first.
        jobs: how many at a time.
        tell: called with each verdict when it is known.

    Raises:
        RuntimeError: the tests could not be collected.
    """
    places = sorted({place for m in mutations for place in files_of(m.file)})
    if not places:
        return Tried([], {})
    terminal = _to_this_terminal(tell)
    trials = _Trials(mutations, files_of, jobs, terminal)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        kept = Path(folder, "tried")
        start = [
            lambda: Fork(lambda own: trials.collect(marks, places, own, kept), _LONGEST_SECONDS)
        ]
        ((_, ended),) = list(in_turn(start, jobs=1))
        if not kept.exists():
            raise RuntimeError(f"the tests could not be collected:\n{ended.log[-4000:]}")
        tried: Tried = pickle.loads(kept.read_bytes())
    return tried


def _to_this_terminal(tell: Callable[[Verdict], None]) -> Callable[[Verdict], None]:
    """Let a fork, which has a log for a terminal, tell by the terminal that is now."""
    terminal = os.fdopen(os.dup(1), "w")

    def tell_there(verdict: Verdict) -> None:
        with redirect_stdout(terminal):
            tell(verdict)

    return tell_there


class _Trials:
    """A plugin of pytest that runs each mutation's tests in a fork, in place of all tests."""

    def __init__(
        self,
        mutations: Sequence[Mutation],
        files_of: Callable[[str], tuple[str, ...]],
        jobs: int,
        tell: Callable[[Verdict], None],
    ) -> None:
        self._mutations = mutations
        self._files_of = files_of
        self._jobs = jobs
        self._tell = tell
        self._tried: Tried | None = None
        self._profile = cProfile.Profile()

    def collect(self, marks: str, places: Sequence[str], folder: Path, kept: Path) -> int:
        """Collect tests, try everything, and leave what is settled in a file."""
        self._profile.enable()
        status = run_pytest(["--exitfirst", "-m", marks, *places], folder, [self])
        if self._tried is not None:
            kept.write_bytes(pickle.dumps(self._tried))
        return status

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool | None:
        """Try every mutation, and take back what fails without any."""
        self._profile.disable()
        if session.testsfailed:
            return None  # pytest says what could not be collected
        with warnings.catch_warnings():
            # Threads of libraries that wait for work stay behind, and libraries start them anew.
            warnings.simplefilter("ignore", DeprecationWarning)
            functions = functions_by_file()
            tests = self._choose_tests(session)
            told = list(self._try_all(session, functions, tests))
            doubtful = _failing_anyway(session, {verdict.by for verdict in told})
        settled = [verdict for verdict in told if verdict.by not in doubtful]
        # What fails anyway is to find nothing in another process, either.
        names = {m: [test.nodeid for test in chosen] for m, chosen in tests.items()}
        sure = {m: [name for name in found if name not in doubtful] for m, found in names.items()}
        self._tried = Tried(settled, sure)
        return True

    def _choose_tests(self, session: Any) -> _Tests:
        chosen: _Tests = {}
        for mutation in self._mutations:
            files = self._files_of(mutation.file)
            items = [item for item in session.items if _file_of(item) in files]
            chosen[mutation] = sorted(items, key=partial(_place_in, files))
        return chosen

    def _try_all(self, session: Any, functions: Functions, tests: _Tests) -> Iterator[Verdict]:
        tried = [m for m in self._mutations if tests[m] and (m.in_function or not m.place)]
        starts = [_start(session, m, tests[m], functions[m.file]) for m in tried]
        for at, ended in in_turn(starts, self._jobs):
            mutation = tried[at]
            verdict = verdict_of(mutation, ended, len(tests[mutation]), left_out=0)
            is_found = verdict.outcome == FOUND and "::" in verdict.by
            lived = verdict.outcome == LIVED and self._is_settled(mutation, functions)
            if is_found or lived:
                self._tell(verdict)
                yield verdict

    def _is_settled(self, mutation: Mutation, functions: Functions) -> bool:
        """Tell whether a mutation that lived had its way: its functions had not been called before."""
        places = changed_places(mutation, functions[mutation.file])
        return bool(places) and places.isdisjoint(places_in(self._profile))


def _file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _place_in(files: Sequence[str], item: pytest.Item) -> int:
    return files.index(_file_of(item))


def _start(
    session: Any,
    mutation: Mutation,
    tests: Sequence[pytest.Item],
    functions: Sequence[FunctionType],
) -> Callable[[], Fork]:
    def run(folder: Path) -> int:
        use_mutated(mutation)  # for who imports the file only now
        give_mutation(mutation, functions)
        return _run_tests(session, tests, folder, all_of_them=False)

    return lambda: Fork(run, SOME_FILES_SECONDS)


def _failing_anyway(session: Any, names: set[str]) -> set[str]:
    """Return those tests that fail in a fork without any mutation."""
    tests = [item for item in session.items if item.nodeid in names]
    if not tests:
        return set()
    start = [lambda: Fork(lambda own: _run_tests(session, tests, own, True), _LONGEST_SECONDS)]
    ((_, ended),) = list(in_turn(start, jobs=1))
    return set(failures(ended.log))


def _run_tests(session: Any, tests: Sequence[pytest.Item], folder: Path, all_of_them: bool) -> int:
    """Run collected tests until one fails, or all, and return the exit status."""
    _separate(session.config, folder / "tests")
    for item, following in pairwise([*tests, None]):
        assert item is not None
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail and not all_of_them:
            break
    return int(session.testsfailed > 0)


def _separate(config: Any, folder: Path) -> None:
    """Give this process temporary folders and captured streams of its own, and no terminal."""
    temporary = folder / "tmp"
    temporary.mkdir(mode=0o700, parents=True)
    config._tmp_path_factory._basetemp = folder
    os.environ["TMPDIR"] = str(temporary)
    tempfile.tempdir = None
    config.pluginmanager.unregister(name="terminalreporter")
    config.pluginmanager.register(ChosenTests())
    capture = config.pluginmanager.getplugin("capturemanager")
    # Capturing ends with the streams that it began with, which are those of the parent.
    log = os.dup(1)
    capture.stop_global_capturing()
    os.dup2(log, 1)
    os.dup2(log, 2)
    capture.start_global_capturing()
    capture.suspend_global_capture(in_=True)
