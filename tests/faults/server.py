"""Runs programs of ours with a fault at one of their steps: `python -m tests.faults.server`, one JSON request per line.

It imports everything once, with every step watched, and forks for each request, because a process of its own takes five seconds to start.
Out goes the exit status of each, negative for a signal.
"""

from dataclasses import asdict, dataclass
import errno
import importlib
import json
import os
from pathlib import Path
import shutil
import signal
import sys
import threading
import time
from typing import Any

from tests.faults.steps import Chains, watch

_SLOW_SECONDS = 0.01
_PROGRAMS = ("pipelines.score", "pipelines.prune")


@dataclass(frozen=True)
class Request:
    """A program to run, and what to do to it.

    Attributes:
        log: file for stdout and stderr; beside it `<log>.hit` says that the fault came.
        chain: the steps, from the outermost to the innermost, on whose first hit the fault comes.
        after: the fault comes after that step's effect, else before.
        action: `kill` (its whole process group), `raise` (an input/output error), `short` (half of what is written, then the disk is full);
            or `slow`, at every step.
        lasting: the fault comes at every hit.
        seconds: after so long the process group is killed, wherever it is.
        plant: before the first hit of a chain, a folder is copied: chain, from, to. This is what another process did meanwhile.
        record: file for the chains whose last step succeeded.
        again: the program is run once more in the same process, without a fault; for storage that ends with the process.
        kept: after that, a folder of the store is copied to a disk: from, to.
    """

    program: str
    arguments: list[str]
    log: str
    chain: str = ""
    after: bool = False
    action: str = ""
    lasting: bool = False
    seconds: float | None = None
    plant: tuple[str, str, str] | None = None
    record: str | None = None
    again: bool = False
    kept: tuple[str, str] | None = None

    def line(self) -> str:
        return json.dumps(asdict(self))


class Injector:
    """Stands at every step, and does what the request of this process asks for."""

    def __init__(self) -> None:
        self.request = Request("", [], "")
        self._chains = Chains()
        self._lock = threading.Lock()
        self._hits: set[tuple[str, bool]] = set()

    def __call__(self, name: str, function: Any, *arguments: Any, **named: Any) -> Any:
        chain = self._chains.enter(name)
        try:
            if self._is_wanted(chain, after=False):
                self._fault(function, arguments)
            result = function(*arguments, **named)
            if self._is_wanted(chain, after=True):
                self._fault(function, arguments)
            return result
        finally:
            self._chains.leave()

    def _is_wanted(self, chain: str, after: bool) -> bool:
        with self._lock:
            first = (chain, after) not in self._hits
            self._hits.add((chain, after))
            if first:
                self._first_hit(chain, after)
        if self.request.action == "slow":
            time.sleep(_SLOW_SECONDS)
        return (first or self.request.lasting) and chain == self.request.chain and after == self.request.after

    def _first_hit(self, chain: str, after: bool) -> None:
        if after and self.request.record is not None:
            with open(self.request.record, "a") as file:
                file.write(f"{chain}\n")
        if not after and self.request.plant is not None and self.request.plant[0] == chain:
            shutil.copytree(self.request.plant[1], self.request.plant[2], dirs_exist_ok=True, symlinks=True)

    def _fault(self, function: Any, arguments: tuple[Any, ...]) -> None:
        Path(f"{self.request.log}.hit").touch()
        if self.request.action == "kill":
            os.killpg(0, signal.SIGKILL)
        if self.request.action == "short":
            function(memoryview(arguments[0]).cast("B")[: len(arguments[0]) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def main() -> None:
    """Serve until the end of stdin."""
    injector = Injector()
    watch(injector)
    programs = {name: importlib.import_module(name) for name in _PROGRAMS}
    importlib.import_module("transforms.write")._PROGRESS_SECONDS = 0.0  # else only long runs leave notes
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            injector.request = Request(**json.loads(line))
            _run(programs[injector.request.program].main, injector)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _run(program: Any, injector: Injector) -> None:
    """The program, as its own `__main__` runs it, in a process group of its own."""
    from pipelines.command_line import run_program, stop_on_terminate
    from pipelines.leaving import leave

    os.setsid()
    request = injector.request
    log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(log, number)
    if request.seconds is not None:
        killer = threading.Timer(request.seconds, os.killpg, (0, signal.SIGKILL))
        killer.daemon = True
        killer.start()
    stop_on_terminate()
    status = run_program(program, request.arguments)
    if request.again:
        sys.stderr.flush()
        injector.request = Request("", [], request.log)
        print(f"first: {status}", flush=True)
        status = run_program(program, request.arguments)
    if request.kept is not None:
        import fsspec

        fs, path = fsspec.core.url_to_fs(request.kept[0])
        fs.get(path, request.kept[1], recursive=True)
    leave(status)


if __name__ == "__main__":
    main()
