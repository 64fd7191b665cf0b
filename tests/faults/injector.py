"""Stand at every step of a program and do there what a request asks for: kill, fail, wait, be slow, or write down what is come by.

The one `injector` of a process is put around each step by `server.py`, before any room is imported; `faulty.py` gives it its request.
"""

from collections import Counter
from dataclasses import asdict, dataclass
import errno
import json
import os
from pathlib import Path
import shutil
import signal
import threading
import time
from typing import Any

from tests.faults.steps import Chains

_SLOW_SECONDS = 0.01
# Longer than another program takes that runs meanwhile.
_PAUSE_SECONDS = 200
_CHANGES = {
    f"os.{name}"
    for name in ["chmod", "link", "mkdir", "remove", "rename", "rmdir", "symlink", "truncate"]
}


@dataclass(frozen=True)
class Request:
    """A program to run, and what to do to it.

    Attributes:
        program: `pipelines.score` or another program that takes its arguments as `main(arguments)`.
        arguments: of the program.
        log: file for stdout and stderr; beside it `<log>.hit` has a byte for each time that the fault came.
        beam: the graph goes through Beam, else it is carried out without (`tests.support.without_beam`).
        chain: the steps, from the outermost to the innermost, at which the fault comes.
        hit: number of the time, from 1, that the chain is come by when the fault comes first.
        times: so often; 0 for ever.
        after: the fault comes after that step's effect, else before.
        broken: besides, an input/output error before a step: chain, number of its hit.
        action: `kill` (its whole process group), `raise` (an input/output error), `short` (half of what is written, then the disk is full);
            `pause` (until `<log>.go` is there; `<log>.paused` tells that it waits); or `slow`, at every step.
        seconds: after so long the process group is killed, wherever it is.
        plant: before the first hit of a chain, a folder is copied: chain, from, to. This is what another process did meanwhile.
        record: file for the chains whose last step succeeded, each as often as it did; and, in `<record>.unseen`, for what changed a file
            without a step.
        again: the program is run once more in the same process, as often as the fault makes it fail and then without one; for storage
            that ends with the process.
        kept: after that, a folder of the store is copied to a disk: from, to.
    """

    program: str
    arguments: list[str]
    log: str
    beam: bool = True
    chain: str = ""
    hit: int = 1
    times: int = 1
    after: bool = False
    broken: tuple[str, int] | None = None
    action: str = ""
    seconds: float | None = None
    plant: tuple[str, str, str] | None = None
    record: str | None = None
    again: bool = False
    kept: tuple[str, str] | None = None

    def line(self) -> str:
        """Return the request as one argument of `tests.faults.faulty`."""
        return json.dumps(asdict(self))


class Injector:
    """Stands at every step, and does what the request of this process asks for."""

    def __init__(self) -> None:
        self.request = Request("", [], "")
        self._chains = Chains()
        self._lock = threading.Lock()
        self._hits: Counter[tuple[str, bool]] = Counter()

    def __call__(self, name: str, function: Any, *arguments: Any, **named: Any) -> Any:
        with self._chains.entered(name) as chain:
            if self._is_wanted(chain, after=False):
                self._fault(function, arguments)
            result = function(*arguments, **named)
            if self._is_wanted(chain, after=True):
                self._fault(function, arguments)
            return result

    def is_over(self) -> bool:
        """Whether the fault came as often as it should."""
        request = self.request
        return (
            request.times == 0
            or self._hits[request.chain, request.after] >= request.hit + request.times - 1
        )

    def heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Write down, as an audit hook, what changes a file while its thread is at no step."""
        record = self.request.record
        if record is None or self._chains.is_inside() or not changes_a_file(event, arguments):
            return
        with self._chains.entered("audit"), open(f"{record}.unseen", "a") as file:
            file.write(f"{event} {arguments}\n")

    def _is_wanted(self, chain: str, after: bool) -> bool:
        request = self.request
        with self._lock:
            self._hits[chain, after] += 1
            hit = self._hits[chain, after]
            self._note(chain, after, hit)
        if not after and request.broken is not None and (chain, hit) == tuple(request.broken):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if request.action == "slow":
            time.sleep(_SLOW_SECONDS)
        wanted = (chain, after) == (request.chain, request.after)
        return (
            wanted
            and request.hit <= hit
            and (request.times == 0 or hit < request.hit + request.times)
        )

    def _note(self, chain: str, after: bool, hit: int) -> None:
        if after and self.request.record is not None:
            with open(self.request.record, "a") as file:
                file.write(f"{chain}\n")
        if (
            not after
            and hit == 1
            and self.request.plant is not None
            and self.request.plant[0] == chain
        ):
            shutil.copytree(
                self.request.plant[1], self.request.plant[2], dirs_exist_ok=True, symlinks=True
            )

    def _fault(self, function: Any, arguments: tuple[Any, ...]) -> None:
        with open(f"{self.request.log}.hit", "a") as file:
            file.write("x")
        if self.request.action == "kill":
            os.killpg(0, signal.SIGKILL)
        if self.request.action == "pause":
            self._pause()
            return
        if self.request.action == "short":
            function(memoryview(arguments[0]).cast("B")[: len(arguments[0]) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _pause(self) -> None:
        """Wait as a process does that was stopped; what it has read and decided is as it was."""
        Path(f"{self.request.log}.paused").touch()
        deadline = time.monotonic() + _PAUSE_SECONDS
        while not os.path.exists(f"{self.request.log}.go"):
            assert time.monotonic() < deadline, "nobody lets it go on"
            time.sleep(0.005)


def changes_a_file(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an audit event tells of a file or folder that is made, renamed or removed."""
    if event == "open":
        return isinstance(arguments[2], int) and bool(
            arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        )
    return event in _CHANGES


injector = Injector()
