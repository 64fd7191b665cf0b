"""How many requests a run sends to an object store: counted in the log of an S3 server (moto) on this machine, per shard.

The time that a server on loopback takes says nothing about a store across a network; the number of requests does.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import re
import socket
import subprocess
import sys
import time
from urllib.parse import unquote

from tests.benchmarks.scaling_run import score, write_job

_BUCKET = "scaling"
_START_SECONDS = 60
# Whom a request concerns, by its key or, of a listing, the prefix asked for; the first that matches.
_PLACES = {
    "input": r"in-\d+/part-",
    "done-record": r"out-\d+/_tmp/\w+/done/",
    "attempt": r"out-\d+/_tmp/\w+/attempts/",
    "published file": r"out-\d+/runs/\w+/scored/part-",
}
_REQUEST = re.compile(
    r'"(\w+) /' + _BUCKET + r'/?(?:\?(?=\S*list-type)\S*?prefix=([^&]*)\S*|(\S*)) HTTP[^"]*" (\d+)'
)
_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")


def requests_per_shard(
    content: bytes, package: Path, scratch: Path, shards: int
) -> dict[str, dict[str, float]]:
    """Requests of planning (a dry run) and of a whole run, by place and method: what `2 * shards` need beyond `shards`, per shard."""
    counted: dict[str, Counter[str]] = {}
    with _server(scratch) as (port, log):
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        for count in (shards, 2 * shards):
            inputs, output = f"s3://{_BUCKET}/in-{count}", f"s3://{_BUCKET}/out-{count}"
            _put(f"http://127.0.0.1:{port}", inputs, content, count)
            config = write_job(scratch / "requests.yaml", inputs, package, output)
            for name, flags in (("plan", ("--dry_run",)), ("run", ())):
                before = log.stat().st_size
                score(config, output, *flags, environment=environment)
                counted[f"{name} {count}"] = _count(log, before)
    return {
        name: _per_shard(counted[f"{name} {shards}"], counted[f"{name} {2 * shards}"], shards)
        for name in ("plan", "run")
    }


def _per_shard(few: Counter[str], many: Counter[str], shards: int) -> dict[str, float]:
    return {
        key: growth
        for key in sorted(many)
        if (growth := round((many[key] - few[key]) / shards, 2)) > 0
    }


def _put(endpoint: str, inputs: str, content: bytes, count: int) -> None:
    import fsspec

    store = fsspec.filesystem("s3", endpoint_url=endpoint, anon=True)
    if not store.exists(_BUCKET):
        store.mkdir(_BUCKET)
    for number in range(count):
        store.pipe_file(f"{inputs}/part-{number:06d}.parquet", content)


def _count(log: Path, start: int) -> Counter[str]:
    found = _REQUEST.findall(_COLOURS.sub(b"", log.read_bytes()[start:]).decode())
    return Counter(_name(method, listed, key, status) for method, listed, key, status in found)


def _name(method: str, listed: str, key: str, status: str) -> str:
    place = next(
        (place for place, pattern in _PLACES.items() if re.match(pattern, unquote(listed or key))),
        "other",
    )
    return f"{place}: {'LIST' if listed else method}{', not there' if status == '404' else ''}"


@contextmanager
def _server(scratch: Path) -> Iterator[tuple[int, Path]]:
    """An S3 server on a free port, and the file that it logs every request to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    log = scratch / "requests.server"
    with log.open("w") as file:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            _await_server(port, process)
            yield port, log
        finally:
            process.terminate()
            process.wait()


def _await_server(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit("the S3 server (moto) did not start")
