"""Be the program of a request, with its fault: `python -m tests.faults.faulty REQUEST`, forked from `tests.faults.server`."""

import importlib
import json
import os
import signal
import sys
import threading
from typing import Any

import fsspec
import pytest

from pipelines.cli.command_line import run_program, stop_on_terminate
from pipelines.cli.shutdown import end_process
from tests.faults.injector import Request, injector
from tests.support.without_beam import run_without_beam


def main(line: str) -> None:
    """Run the program, as its own `__main__` does."""
    request = injector.request = Request(**json.loads(line))
    log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(log, number)
    if not request.beam:
        run_without_beam(pytest.MonkeyPatch())  # for the rest of this process
    if request.seconds is not None:
        killer = threading.Timer(request.seconds, os.killpg, (0, signal.SIGKILL))
        killer.daemon = True
        killer.start()
    program = importlib.import_module(request.program).main
    stop_on_terminate()
    status = run_program(program, request.arguments)
    if request.again:
        status = _run_again(program, status)
    if request.kept is not None:
        fs, path = fsspec.core.url_to_fs(request.kept[0])
        fs.get(path, request.kept[1], recursive=True)
    end_process(status)


def _run_again(program: Any, status: int) -> int:
    """Run until the fault has come as often as it should, and then without it; the status before each run is told."""
    request = injector.request
    over = False
    while not over:
        over = status == 0 or injector.is_over()
        if over:
            injector.request = Request("", [], request.log)
        sys.stderr.flush()
        print(f"ended: {status}", flush=True)
        status = run_program(program, request.arguments)
    return status


if __name__ == "__main__":
    main(sys.argv[1])
