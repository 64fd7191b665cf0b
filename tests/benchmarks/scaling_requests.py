"""How many requests a run sends to an object store for a shard and for a unit: counted in the log of an S3 server (moto) on this machine.

The time that a server on loopback takes says nothing about a store across a network; the number of requests does.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
import re
import socket
import subprocess
import sys
import time
from urllib.parse import unquote

from tests.benchmarks.scaling_data import TINY_ROWS
from tests.benchmarks.scaling_run import score, write_job

_BUCKET = "scaling"
_START_SECONDS = 60
# Of a shard or a unit; less is what one run happened to ask more often than another.
_LEAST_REQUESTS = 0.05
# Whom a request concerns, by its key or, of a listing, the prefix asked for; the first that matches.
_PLACES = {
    "input": r"in-\d+/part-",
    "done-record": r"out-[\w-]+/_tmp/\w+/done/",
    "attempt": r"out-[\w-]+/_tmp/\w+/attempts/",
    "published file": r"out-[\w-]+/runs/\w+/scored/part-",
}
_REQUEST = re.compile(
    r'"(\w+) /' + _BUCKET + r'/?(?:\?(?=\S*list-type)\S*?prefix=([^&]*)\S*|(\S*)) HTTP[^"]*" (\d+)'
)
_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")


def count_requests(
    content: bytes, package: Path, scratch: Path, shards: int
) -> dict[str, dict[str, float]]:
    """Return the requests of planning a shard, and of a whole run those of a shard and of a unit, by place and method.

    Three whole runs tell them apart, as what is asked once is asked in each:

        together    n shards that are put together
        alone       n shards, a unit each: as many shards, and more units
        twice       2n shards, a unit each: n shards more, and n units

    Args:
        content: of a shard.
        package: the model package.
        scratch: a folder for logs and jobs.
        shards: n.

    Raises:
        SystemExit: so few shards are not put together.
    """
    with _server(scratch) as server:
        for count in (shards, 2 * shards):
            _put(server.endpoint, _name_inputs(count), content, count)
        runs = _Runs(server, package, scratch)
        together = runs.count(shards, None)
        # Each has a record.
        more_units = shards - together["done-record: PUT"]
        if not more_units:
            sys.exit(f"--request_shards {shards}: so few are not put together; name 65 or more")
        planned, planned_twice = (runs.count(n, None, "--dry_run") for n in (shards, 2 * shards))
        alone, twice = (runs.count(n, TINY_ROWS) for n in (shards, 2 * shards))
    of_both = _divide(twice, alone, shards)
    of_unit = _divide(alone, together, more_units)
    of_shard = {key: number - of_unit.get(key, 0.0) for key, number in of_both.items()}
    return {
        "plan": _round(_divide(planned_twice, planned, shards)),
        "run": _round(of_shard),
        "unit": _round(of_unit),
    }


@dataclass(frozen=True)
class _Server:
    """An S3 server, and the file that it logs every request to."""

    endpoint: str
    log: Path


@dataclass(frozen=True)
class _Runs:
    """Runs against a server."""

    server: _Server
    package: Path
    scratch: Path

    def count(self, shards: int, rows_per_file: int | None, *flags: str) -> Counter[str]:
        """Return the requests of a run with an output of its own, by place and method."""
        kind = "-".join(["together" if rows_per_file is None else "alone", *flags])
        output = f"s3://{_BUCKET}/out-{shards}-{kind}"
        config = self.scratch / "requests.yaml"
        write_job(config, _name_inputs(shards), self.package, output, rows_per_file)
        environment = {
            "AWS_ENDPOINT_URL": self.server.endpoint,
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        before = self.server.log.stat().st_size
        score(config, output, *flags, environment=environment)
        return _count(self.server.log, before)


def _name_inputs(shards: int) -> str:
    return f"s3://{_BUCKET}/in-{shards}"


def _divide(many: Counter[str], few: Counter[str], by: int) -> dict[str, float]:
    return {key: (many[key] - few[key]) / by for key in sorted(many)}


def _round(numbers: dict[str, float]) -> dict[str, float]:
    """Round numbers, and leave out what does not grow."""
    rounded = {key: round(number, 2) for key, number in numbers.items()}
    return {key: number for key, number in rounded.items() if number >= _LEAST_REQUESTS}


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
def _server(scratch: Path) -> Iterator[_Server]:
    """An S3 server on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    log = scratch / "requests.server"
    with log.open("w") as file:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            _await_server(port, process)
            yield _Server(f"http://127.0.0.1:{port}", log)
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
