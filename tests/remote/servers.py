"""Real model servers on the loopback address, each a process of its own, which tests kill and start again at the same address."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import socket
import subprocess
import time
from typing import Any
from urllib.error import URLError
import urllib.request

import psutil

from tests.remote.environments import (
    KSERVE,
    MLSERVER,
    TENSORFLOW,
    server_python,
)
from tests.support.ports import free_port

SERVED = Path(__file__).parent / "served"
HOST = "127.0.0.1"
_SECONDS_TO_START = 240


@dataclass
class RealServer:
    """A server that can be started, killed and started again.

    Attributes:
        http_port: where it answers HTTP.
        grpc_port: where it answers gRPC.
        command: what starts it.
        environment: variables of its own.
        ready_path: answers with 200 over HTTP once the model is loaded.
        log: file of what it says.
    """

    http_port: int
    grpc_port: int
    command: Sequence[str]
    environment: Mapping[str, str]
    ready_path: str
    log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def http_url(self) -> str:
        return f"http://{HOST}:{self.http_port}"

    @property
    def grpc_url(self) -> str:
        return f"grpc://{HOST}:{self.grpc_port}"

    def list_addresses(self) -> set[str]:
        """Return the addresses that it listens on, whichever of its processes does."""
        assert self._process is not None
        process = psutil.Process(self._process.pid)
        addresses = set()
        for one in (process, *process.children(recursive=True)):
            for connection in one.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    # As grpc has it, in a form of IPv6.
                    addresses.add(connection.laddr.ip.removeprefix("::ffff:"))
        return addresses

    def start(self) -> None:
        """Start it, and wait until its models answer."""
        self.start_only()
        self.wait_until_ready()

    def start_only(self) -> None:
        """Start it, and do not wait."""
        # One core, and another for whoever asks it.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", **self.environment}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, cwd=self.log.parent, env=environment, stdout=log, stderr=log
            )

    def wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _SECONDS_TO_START
        while not self._answers():
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """End it, and what it has started, as a machine that loses power does."""
        if self._process is None:
            return
        family = [psutil.Process(self._process.pid)] if self._process.poll() is None else []
        for parent in tuple(family):
            family += parent.children(recursive=True)
        for process in family:
            process.kill()
        self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            # Each listens when it is ready for itself, in one process or another order.
            socket.create_connection((HOST, self.grpc_port), timeout=5).close()
            with urllib.request.urlopen(f"{self.http_url}{self.ready_path}", timeout=5):  # noqa: S310
                return True
        except (URLError, OSError):
            return False


@contextmanager
def running(server: RealServer) -> Iterator[RealServer]:
    """Start a server, and kill it in the end."""
    try:
        server.start()
        yield server
    finally:
        server.kill()


def make_mlserver(folder: Path, models: Sequence[Mapping[str, Any]]) -> RealServer:
    """Return an MLServer that holds models, each with the fields of its `model-settings.json`.

    Args:
        folder: where its files go, and its log.
        models: two of one name are two versions of one model.
    """
    http_port, grpc_port = free_port(), free_port()
    settings = {
        "host": HOST,
        "http_port": http_port,
        "grpc_port": grpc_port,
        "metrics_endpoint": None,
        # Models in the server's own process: no pool that would have to be killed, too.
        "parallel_workers": 0,
        "debug": False,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings))
    for place, model in enumerate(models):
        own = folder / f"model-{place}"
        own.mkdir()
        (own / "model-settings.json").write_text(json.dumps(model))
    return RealServer(
        http_port,
        grpc_port,
        [str(server_python(MLSERVER)), "-m", "mlserver.cli.main", "start", str(folder)],
        {"PYTHONPATH": str(SERVED)},
        "/v2/health/ready",
        folder / "log",
    )


def make_kserve(folder: Path, fitted: Path, columns: int, seconds: float = 0) -> RealServer:
    """Return a KServe model server that holds the model `churn`, which has no version there.

    Args:
        folder: where its log goes.
        fitted: file of `weights` and `bias`.
        columns: of its input `features`.
        seconds: that each request takes longer.
    """
    http_port, grpc_port = free_port(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    program = [str(server_python(KSERVE)), str(SERVED / "kserve_program.py")]
    ports = [f"--http_port={http_port}", f"--grpc_port={grpc_port}"]
    return RealServer(
        http_port,
        grpc_port,
        [*program, str(fitted), str(columns), str(seconds), *ports],
        {},
        "/v2/health/ready",
        folder / "log",
    )


def make_tensorflow(folder: Path, fitted: Path, columns: int) -> RealServer:
    """Return the stand-in for TensorFlow Serving, with the versions 3 and 4 of `churn` and with `echo`.

    Args:
        folder: where its log goes.
        fitted: file of `weights` and `bias`.
        columns: of the input `features`.
    """
    http_port, grpc_port = free_port(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    program = [str(server_python(TENSORFLOW)), str(SERVED / "tensorflow_program.py")]
    return RealServer(
        http_port,
        grpc_port,
        [*program, str(fitted), str(columns), str(http_port), str(grpc_port)],
        {},
        "/v1/models/churn",
        folder / "log",
    )


def mlserver_logistic(
    fitted: Path, columns: int, version: str | None = "1", **extra: Any
) -> dict[str, Any]:
    """Return the settings of a model `churn` that reads its weights from a file.

    Args:
        fitted: file of `weights` and `bias`.
        columns: of its input `features`.
        version: None for a model without one.
        extra: as `seconds`, that each request takes longer.
    """
    parameters = {"uri": str(fitted), "extra": extra}
    if version is not None:
        parameters["version"] = version
    return {
        "name": "churn",
        "implementation": "mlserver_models.Logistic",
        "parameters": parameters,
        "inputs": [{"name": "features", "datatype": "FP32", "shape": [-1, columns]}],
        "outputs": [{"name": "probability", "datatype": "FP32", "shape": [-1, 1]}],
    }


def mlserver_echo() -> dict[str, Any]:
    """Return the settings of a model `echo` that says nothing of its inputs and outputs."""
    return {"name": "echo", "implementation": "mlserver_models.Echo"}


def mlserver_words() -> dict[str, Any]:
    """Return the settings of a model `words` that takes texts."""
    return {
        "name": "words",
        "implementation": "mlserver_models.Words",
        "parameters": {"version": "1"},
        "inputs": [{"name": "said", "datatype": "BYTES", "shape": [-1, 1]}],
        "outputs": [{"name": "words", "datatype": "FP32", "shape": [-1, 1]}],
    }
