"""Real servers on the loopback address, each in a process of its own: S3 (moto, or MinIO) and Google Cloud Storage (fake-gcs-server)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import importlib.util
import os
from pathlib import Path
import socket
import subprocess
import sys
import time

from tests.support.go_tools import FAKE_GCS, go_tool
from tests.support.ports import free_port
from tests.support.repository import REPOSITORY

KEY, SECRET = "testkey", "testsecret-which-no-message-may-show"
PAGE = 50  # names in one answer to a request to list
MINIO = "github.com/minio/minio@latest"
_MINIO_PROGRAM = REPOSITORY / "build/go/latest/minio"


@dataclass(frozen=True)
class Server:
    """A running store: URL scheme, host:port, and what makes the clients of `s3fs` and `gcsfs` find it."""

    scheme: str
    address: str

    def environment(self, address: str | None = None) -> dict[str, str]:
        """Variables for a program that talks to the server, or to a proxy of it at `address`."""
        url = f"http://{address or self.address}"
        if self.scheme == "gs":
            # The emulator has no gRPC interface, which gcsfs would ask what kind of bucket this is.
            return {
                "STORAGE_EMULATOR_HOST": url,
                "GOOGLE_CLOUD_PROJECT": "test",
                "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
            }
        credentials = {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        return {**credentials, "AWS_ENDPOINT_URL": url, "AWS_EC2_METADATA_DISABLED": "true"}


def missing(name: str) -> str | None:
    """Why the server or its client is not there, or None. MinIO takes minutes to build: it is tested where somebody built it."""
    if name == "gs":
        return None if importlib.util.find_spec("gcsfs") else "gcsfs is not installed (extra gcs)"
    if importlib.util.find_spec("s3fs") is None:
        return "s3fs is not installed (extra s3)"
    if name == "minio":
        return (
            None if _MINIO_PROGRAM.exists() else f"{MINIO} is not built in {_MINIO_PROGRAM.parent}"
        )
    return (
        None if importlib.util.find_spec("moto") else "moto[server] is not installed (extra test)"
    )


@contextmanager
def running(name: str, folder: Path) -> Iterator[Server]:
    """A server of its own: `s3` (moto), `minio` or `gs`."""
    port = free_port()
    command = {"s3": _moto, "minio": _minio, "gs": _fake_gcs}[name](port, folder)
    environment = {
        **os.environ,
        "MINIO_ROOT_USER": KEY,
        "MINIO_ROOT_PASSWORD": SECRET,
        "MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "log")
        yield Server("gs" if name == "gs" else "s3", f"127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


def _moto(port: int, folder: Path) -> Sequence[str]:
    return [sys.executable, "-m", "tests.object_stores.s3_server", str(port)]


def _minio(port: int, folder: Path) -> Sequence[str]:
    console = f"127.0.0.1:{free_port()}"
    return [
        str(_MINIO_PROGRAM),
        "server",
        str(folder / "objects"),
        "--address",
        f"127.0.0.1:{port}",
        "--console-address",
        console,
    ]


def _fake_gcs(port: int, folder: Path) -> Sequence[str]:
    where = [
        "-scheme",
        "http",
        "-host",
        "127.0.0.1",
        "-port",
        str(port),
        "-external-url",
        f"http://127.0.0.1:{port}",
    ]
    return [str(go_tool(FAKE_GCS)), "-backend", "memory", "-log-level", "error", *where]


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 180
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
