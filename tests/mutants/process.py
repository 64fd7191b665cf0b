"""Runs tests in a process forked from this one, which has paid the start of the large libraries
once, and has none of our code.

The fork gives our modules to the tests as they are, or one of them mutated. It ends without a word
to what it shares with its parent: whatever a test leaves behind (threads, pipelines, patched
modules) goes with it.
"""

import ast
import atexit
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
import gc
import importlib
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
import os
from pathlib import Path
import shutil
import signal
import sys
import tempfile
import time
from types import CodeType
from typing import Any

from tests.mutants.mutations import REPOSITORY, ROOMS, Mutation, mutated_code

# No test may leave anything that the next process, or the next ordinary test run, finds.
PYTEST = ["-p", "no:cacheprovider", "--hypothesis-seed=0", "-q", "--no-header"]
# Plugins are imported before pytest can rewrite their assertions, which is no news.
PYTEST += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
_ALSO = ("pytest", "_pytest.assertion.rewrite", "hypothesis.strategies", "_hypothesis_pytestplugin")
_ALSO += ("duckdb", "apache_beam.testing.util", "apache_beam.runners.direct.direct_runner")
_ALSO += ("apache_beam.runners.portability.fn_api_runner.fn_runner", "sklearn.preprocessing")
# What converters and packaging import once they need it: seconds of each fork.
_ALSO += ("onnxruntime", "skl2onnx", "skops.io", "transformers.modeling_utils", "timm")
_ALSO += ("lightgbm", "xgboost", "torch_geometric.nn", "torch.export")
_LOOK_SECONDS = 0.05


def warm_up() -> None:
    """Import what our files import, but for our own; a fork then starts in a moment."""
    examples = tempfile.mkdtemp(prefix="mutants-hypothesis-")
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = examples
    atexit.register(shutil.rmtree, examples, ignore_errors=True)
    for name in sorted(_imported_by_the_rooms()) + list(_ALSO):
        with suppress(ImportError):
            importlib.import_module(name)
    ours = [name for name in sys.modules if name.partition(".")[0] in ROOMS]
    assert not ours, f"a fork must import our modules itself, but {ours[0]} is here"
    gc.freeze()  # else the collector touches, and so copies, every page in each fork
    atexit.register(gc.unfreeze)  # else libraries complain at the end of what is not freed


def _imported_by_the_rooms() -> Iterator[str]:
    for path in (path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            yield from (name for name in names if name.partition(".")[0] not in (*ROOMS, "tests"))


@dataclass
class Ended:
    """How a process ended.

    Attributes:
        status: exit status; negative for a signal; None when it took too long and was killed.
        seconds: how long it took.
        log: what it wrote.
    """

    status: int | None
    seconds: float
    log: str


class Fork:
    """A process that runs `work`, an exit status, with a folder and a log of its own."""

    def __init__(self, work: Callable[[Path], int], timeout_seconds: float) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mutant-"))
        self._began = time.monotonic()
        self._timeout_seconds = timeout_seconds
        sys.stdout.flush()
        sys.stderr.flush()
        self._process = os.fork()
        if self._process == 0:
            _run_and_leave(work, self._folder)

    def ended(self) -> Ended | None:
        """Return how it ended; None while it runs. One that takes too long is killed."""
        seconds = time.monotonic() - self._began
        process, status = os.waitpid(self._process, os.WNOHANG)
        late = seconds > self._timeout_seconds
        if not process and not late:
            return None
        self.kill()  # what it started goes with it, late or not
        if not process:
            os.waitpid(self._process, 0)
        log = (self._folder / "log").read_text(errors="replace")
        shutil.rmtree(self._folder, ignore_errors=True)
        return Ended(None if not process else os.waitstatus_to_exitcode(status), seconds, log)

    def kill(self) -> None:
        """End it and what it started, if anything of it is left."""
        with suppress(ProcessLookupError):
            os.killpg(self._process, signal.SIGKILL)


def in_turn(forks: Sequence[Callable[[], Fork]], jobs: int) -> Iterator[tuple[int, Ended]]:
    """Start forks, `jobs` at a time, and yield the number of each and how it ended, as they end."""
    waiting = list(enumerate(forks))
    running: dict[int, Fork] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                number, start = waiting.pop(0)
                running[number] = start()
            time.sleep(_LOOK_SECONDS)
            for number, fork in list(running.items()):
                if (how := fork.ended()) is not None:
                    del running[number]
                    yield number, how
    finally:
        # Where somebody stops all of it, none goes on alone.
        for fork in running.values():
            fork.kill()


def run_pytest(arguments: Sequence[str], folder: Path, plugins: Sequence[object]) -> int:
    """Run pytest in this process, and return its exit status."""
    import pytest

    flags = [*PYTEST, f"--basetemp={folder / 'tests'}"]
    return int(pytest.main([*flags, *arguments], plugins=list(plugins)))


def use_mutated(mutation: Mutation) -> None:
    """From now on, the module of a mutation is imported with it."""
    sys.meta_path.insert(0, _Finder(mutation))


def _run_and_leave(work: Callable[[Path], int], folder: Path) -> None:
    status = 3
    try:
        os.setsid()
        os.chdir(REPOSITORY)
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        status = work(folder)
    except BaseException as error:  # noqa: BLE001 - it must not go on as a second parent
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


class _Finder(MetaPathFinder):
    def __init__(self, mutation: Mutation) -> None:
        self._mutation = mutation
        self._module = mutation.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != self._module:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.loader.name, spec.loader.path, self._mutation.number)
        return spec


class _Loader(SourceFileLoader):
    """Gives a module's code with a mutation; nothing of it is kept on the disk."""

    def __init__(self, name: str, path: str, number: int) -> None:
        super().__init__(name, path)
        self._number = number

    def get_code(self, fullname: str) -> CodeType:
        return mutated_code(self.path, self.get_data(self.path).decode(), self._number)
