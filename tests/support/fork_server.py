"""Start programs of ours in a few hundredths of a second: `python -m tests.support.fork_server SOCKET`.

A program takes seconds to start, nearly all of them imports of torch and Beam. This process imports them once, and forks for each
request that comes over the socket. The forked process is as one that a shell has started: a session of its own, its own environment,
folder, stdout and stderr, and the module run as `__main__`. What it does not show is starting itself: the import path, and what is
imported when. The tests of those start programs for real (`tests.support.programs.start_program`).

Programs are forked from a process that imports nothing and runs nothing itself: it waits for what is asked, and for those that end.
"""

from dataclasses import asdict, dataclass
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import traceback
import warnings

import pytest

from tests.support.exporting import EXPORTS, export_nothing
from tests.support.forking import serve_programs
from tests.support.later_imports import import_later_ones
from tests.support.repository import REPOSITORY
from tests.support.shortcuts import take_shortcuts
from transforms.formats.table import INPUT_FORMATS, OUTPUT_FORMATS, import_maker

# What a program may find in the place of a file for its stdout or stderr: nothing, as after `>&-`, or a pipe whose reader
# has gone, as `head -1`.
CLOSED, NO_READER = "closed", "no reader"
# Where a program's children are forked, if its environment says so.
CHILDREN_ADDRESS = "TESTS_CHILDREN"
_PROGRAMS = ("score", "tune", "train", "evaluate", "verify", "prune")
# What programs import only once it is needed, beside our own: what Beam's runners take, and what an optimizer of
# torch imports with its first step, which is most of what a small training takes.
_LATER = (
    "pipelines.runners.checks",
    "model_zoo.engines.torch_engine",
    "apache_beam.runners.portability.fn_api_runner",
    "apache_beam.runners.portability.prism_runner",
    "apache_beam.testing.test_stream",
    "apache_beam.typehints.intrinsic_one_ops",
    "torch._inductor.config",
)


@dataclass(frozen=True)
class Request:
    """A program to start.

    Attributes:
        module: what `python -m` would get.
        arguments: its arguments.
        environment: all of its environment variables.
        folder: where it stands.
        stdout, stderr: files that it writes to, or `CLOSED`, or `NO_READER`.
        stdin: file that it reads.
    """

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str
    stdout: str
    stderr: str
    stdin: str = os.devnull

    def line(self) -> bytes:
        """Return the request as it goes over the socket."""
        return json.dumps(asdict(self)).encode() + b"\n"


def main(address: str) -> None:
    """Serve until nobody holds the other end of stdin any more."""
    for name in _LATER:
        importlib.import_module(name)
    programs = [f"pipelines.{name}" for name in _PROGRAMS]
    import_later_ones(programs)
    for name in programs:
        importlib.import_module(name)
    for place in (*INPUT_FORMATS.values(), *OUTPUT_FORMATS.values()):
        import_maker(place)
    # To precompile the headers of the one or two networks that tests compile would take as long as five of them.
    sys.modules["torch._inductor.config"].aot_inductor.precompile_headers = False
    # What the forks of one process need not do again and again: each of them is to be quick.
    take_shortcuts(pytest.MonkeyPatch())
    _look_once()
    serve_programs(address, become_program)


def _look_once() -> None:
    """Look at what most programs look at, for shortcuts and caches to remember it: a small one took a tenth of its time for that."""
    # Here, as a server that watches what is imported begins with that before it calls `main`.
    from configs.safe_yaml import parse_yaml
    from pipelines.planning.identity import list_libraries
    from pipelines.runners.options import runner_options

    for path in (*REPOSITORY.glob("configs/*.yaml"), *REPOSITORY.glob("samples/*/model/*.yaml")):
        parse_yaml(path.read_text())
    list_libraries("")
    options = runner_options("DirectRunner", [])
    # As Beam asks for them when it runs a graph.
    options.get_all_options()
    options.get_all_options(retain_unknown_options=True, display_warnings=True)
    options.get_all_options(drop_default=True, retain_unknown_options=True)


def become_program(connection: socket.socket) -> None:
    """Turn this process into the program that is asked for."""
    with connection.makefile("rb") as lines:
        request = Request(**json.loads(lines.readline()))
    connection.close()
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    # Who opened a pipe's reading end for writing, too, would never see its end.
    streams = [os.open(request.stdin, os.O_RDONLY), _open(request.stdout), _open(request.stderr)]
    for number, opened in enumerate(streams):
        os.dup2(opened, number)
        os.close(opened)
    if CLOSED in (request.stdout, request.stderr) or "PYTHONIOENCODING" in request.environment:
        _renew_streams(request)
    named = [p for p in request.environment.get("PYTHONPATH", "").split(os.pathsep) if p]
    sys.path[1:1] = [p for p in named if p not in sys.path]
    if not EXPORTS.items() <= request.environment.items():
        export_nothing(pytest.MonkeyPatch())
    if CHILDREN_ADDRESS in request.environment:
        from tests.support.children import fork_children

        fork_children(pytest.MonkeyPatch(), request.environment[CHILDREN_ADDRESS])
    sys.argv[:] = [request.module, *request.arguments]
    status = 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # that the module was imported before
            runpy.run_module(request.module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as ended:
        status = _exit_status(ended.code)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(status)


def _open(path: str) -> int:
    if path != NO_READER:
        where = os.devnull if path == CLOSED else path
        return os.open(where, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    read_end, write_end = os.pipe()
    os.close(read_end)
    return write_end


def _renew_streams(request: Request) -> None:
    """Make Python's streams as the interpreter does when it starts; it has none for what is closed."""
    encoding = request.environment.get("PYTHONIOENCODING", "utf-8")
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding, "backslashreplace", closefd=False)  # noqa: SIM115
    if request.stdout == CLOSED:
        os.close(1)
        sys.stdout = None  # type: ignore[assignment]
    if request.stderr == CLOSED:
        os.close(2)
        sys.stderr = None  # type: ignore[assignment]


def _exit_status(code: object) -> int:
    """Return what `sys.exit(code)` ends a process with; a text is said, as the interpreter does."""
    if code is None or isinstance(code, int):
        return int(code or 0)
    print(code, file=sys.stderr)
    return 1


if __name__ == "__main__":
    main(sys.argv[1])
