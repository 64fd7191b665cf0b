"""Beam's worker pools of all machines of a cluster, in one process.

    python -m tests.flink.pool FOLDER SOCKET NAME=127.0.0.2:50000 ...

`apache_beam.runners.worker.worker_pool_main` is the same service on every address of its machine, so that a machine has one per
port. Here two TaskManagers share a machine and need one each: both name their workers 1-1, 2-1 ..., and in a common pool one would
stop the other's. The first worker of all is started as Beam does it; the others are forked from the server of all tests, whose SOCKET
this is, in a tenth of the time.
"""

from collections.abc import Iterator
from contextlib import suppress
import logging
from pathlib import Path
import signal
import subprocess
import sys
from threading import Lock
from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from apache_beam.utils import thread_pool_executor
import grpc

from tests.support.programs import Program, Programs

_STOP_SECONDS = 10


class Pool(BeamFnExternalWorkerPoolServicer):
    """The workers of one machine; the ids of their processes are in a file, one a line."""

    def __init__(self, programs: Programs, first: Lock, started: Path) -> None:
        super().__init__(use_process=True)
        self._programs = programs
        # Whoever takes it starts the first worker of all; nobody gives it back.
        self._first = first
        self._started = started
        self._forked: dict[str, Program] = {}
        started.touch()

    def StartWorker(self, request: Any, context: Any) -> beam_fn_api_pb2.StartWorkerResponse:  # noqa: N802 - named by Beam
        if not self._first.acquire(blocking=False):
            self._fork(request)
            return beam_fn_api_pb2.StartWorkerResponse()
        answer = super().StartWorker(request, context)
        self._note(self._worker_processes[request.worker_id].pid)
        return answer

    def StopWorker(self, request: Any, context: Any) -> beam_fn_api_pb2.StopWorkerResponse:  # noqa: N802 - named by Beam
        worker = self._forked.pop(request.worker_id, None)
        if worker is None:
            return super().StopWorker(request, context)
        with suppress(ProcessLookupError):
            worker.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            worker.wait(_STOP_SECONDS)
        worker.kill_group()
        return beam_fn_api_pb2.StopWorkerResponse()

    def _fork(self, request: Any) -> None:
        worker = self._programs.start(
            "tests.flink.worker", request.control_endpoint.url, request.worker_id
        )
        self._forked[request.worker_id] = worker
        self._note(worker.pid)

    def _note(self, pid: int) -> None:
        with self._started.open("a") as file:
            file.write(f"{pid}\n")


def noted_workers(folder: Path, machine: str) -> Iterator[int]:
    """Give the ids of all worker processes that a machine's pool has started."""
    yield from map(int, _started_of(folder, machine).read_text().split())


def _started_of(folder: Path, machine: str) -> Path:
    return folder / f"{machine}.workers"


def main(folder: Path, forks: str, machines: list[str]) -> None:
    """Serve until a signal says that this is enough."""
    logging.basicConfig(level=logging.INFO)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    programs, first, servers = Programs(folder, forks), Lock(), []
    for machine in machines:
        name, _, address = machine.partition("=")
        server = grpc.server(thread_pool_executor.shared_unbounded_instance())
        pool = Pool(programs, first, _started_of(folder, name))
        beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
        server.add_insecure_port(address)
        server.start()
        servers.append(server)  # one that nobody holds stops
    try:
        signal.pause()
    finally:
        programs.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
