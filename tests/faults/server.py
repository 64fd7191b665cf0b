"""Run programs of ours with a fault at one of their steps: `Server` here, and the process that they are forked from.

`python -m tests.faults.server SOCKET` is `tests.support.fork_server` with every step watched in what it imports.
"""

import importlib
import sys

from tests.faults.injector import Request, injector
from tests.faults.steps import watch
from tests.support import fork_server
from tests.support.programs import Programs


class Server(Programs):
    """Runs programs with faults; threads may share it."""

    def strike(self, request: Request) -> int:
        """Run the program of a request, and return its exit status, negative for the signal that ended it."""
        return self.run("tests.faults.faulty", request.line()).returncode


def main(address: str) -> None:
    """Serve, with every step watched."""
    watch(injector)
    sys.addaudithook(injector.heard)
    note = importlib.import_module("transforms.output.progress_note")
    note._SECONDS = 0.0  # else only long runs leave notes
    # Tests stop holders of the lock.
    importlib.import_module("storage.lock")._PATIENCE_SECONDS = 0.3
    importlib.import_module("tests.support.without_beam")
    fork_server.main(address)


if __name__ == "__main__":
    main(sys.argv[1])
