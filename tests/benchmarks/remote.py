"""A job whose model is in a server, beside what the server gives a client that does nothing but ask.

    python -m tests.benchmarks.remote [--servers mlserver kserve] [--protocols oip-grpc oip-http]
                                      [--rows 1000000] [--batch_rows 1024] [--hidden 256] [--repeats 3]

The model is a network of 32 columns with two hidden layers, in numpy on one thread: with `--hidden 0` it is a logistic regression, and
so quick that a server scores rows faster than a job can read them. The server has one core of this machine, and who asks it the others, as
if it were on another machine (`taskset` of Linux); clients and job take turns. One client sends rows of the job, one batch after the other,
and one a single batch again and again: the share is of what the faster of them gets. Of the job is told what its
manifest says, which is without start-up and publishing, and the whole process with them. Apart from them, a job of a quarter of
the rows tells its beginning and end from what lies between: what rows take that there are more of is the `steady` rate, and what is left
then, as if no row were scored, are the seconds of `ends`. The overhead of a batch is what our
client takes longer for a request than gRPC's own stub for the same bytes, one request after the other. It needs the servers' own
environments: `python -m tests.remote.environments`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
import os
from pathlib import Path
from statistics import median
import subprocess
import sys
import tempfile
import time

import grpc
import numpy as np
import pyarrow as pa

from model_zoo.remote.calls import Calls
from model_zoo.remote.oip_messages import SERVICE
from model_zoo.remote.table import connect
from model_zoo.remote.target import Target
from tests.benchmarks.remote_clients import grpc_request, measure
from tests.remote.jobs import address, write_fitted, write_remote_job
from tests.remote.servers import (
    RealServer,
    make_kserve,
    make_mlserver,
    mlserver_logistic,
    running,
)
from tests.support.jobs import write_parquet
from tests.support.repository import REPOSITORY
from tests.support.runs import manifest

COLUMNS = 32
NAMES = tuple(f"f{number:02}" for number in range(COLUMNS))
_IN_FLIGHT = (1, 2, 4, 8, 16)
_SHARDS = 4
_SECONDS = 3.0
_CORE_OF_SERVER = 0
_OVERHEAD_REQUESTS = 300
# Of a job's rows, as many batches as a client has made before it asks: in JSON all would fill the memory.
_BATCHES = 64
_FEWER = 4


@dataclass(frozen=True)
class Figures:
    """What was measured of one server and protocol.

    Attributes:
        same: rows per second of the client that repeats itself, at its best number in flight.
        other: of the client that sends rows of the job.
        job: rows per second of a job, without start-up and publishing.
        steady: of the rows in its middle.
        ends: seconds that its beginning and its end take.
        process: rows per second of its whole process.
    """

    same: float
    other: float
    job: float
    steady: float
    ends: float
    process: float

    def render(self, name: str) -> str:
        client = max(self.same, self.other)
        rates = (self.same, self.other, self.job, self.steady, self.process)
        shares = (self.job / client, self.steady / client, self.ends)
        words = [f"{value:10,.0f}" for value in rates] + [f"{value:8.2f}" for value in shares]
        return f"{name:22}{''.join(words)}"


_HEADS = f"{'same':>10}{'other':>10}{'job':>10}{'steady':>10}{'process':>10}{'share':>8}{'steady':>8}{'ends':>8}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a table; return the exit status."""
    flags = _parse(arguments)
    # What is started from here on has these, too.
    os.sched_setaffinity(0, os.sched_getaffinity(0) - {_CORE_OF_SERVER})
    print(f"{'rows per second':22}{_HEADS}")
    with tempfile.TemporaryDirectory() as folder:
        fitted = write_fitted(Path(folder) / "fitted.json", COLUMNS, flags.hidden)
        for name in flags.servers:
            with running(_make(name, Path(folder) / name, fitted)) as server:
                for protocol in flags.protocols:
                    place = Path(folder) / f"{name}-{protocol}"
                    figures = _compare(place, server, protocol, flags)
                    print(figures.render(f"{name}, {protocol}"), flush=True)
                overhead = measure_overhead(server, _features(flags.batch_rows))
                print(f"{name}: {overhead:.2f} ms for a batch", flush=True)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--servers", nargs="+", default=["mlserver", "kserve"])
    parser.add_argument("--protocols", nargs="+", default=["oip-grpc", "oip-http"])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batch_rows", type=int, default=1_024)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=_SECONDS)
    return parser.parse_args(arguments)


def _make(name: str, folder: Path, fitted: Path) -> RealServer:
    """Return a server that is going to have a core for itself."""
    if name == "kserve":
        server = make_kserve(folder, fitted, COLUMNS)
    else:
        server = make_mlserver(folder, [mlserver_logistic(fitted, COLUMNS)])
    pinned = ["taskset", "--cpu-list", str(_CORE_OF_SERVER), *server.command]
    return replace(server, command=pinned)


def _compare(folder: Path, server: RealServer, protocol: str, flags: argparse.Namespace) -> Figures:
    """Let the clients and the jobs take turns, and return the medians."""
    sizes = (flags.rows, flags.rows // _FEWER)
    jobs = [_write(folder / str(rows), server, protocol, rows, flags) for rows in sizes]
    features = _features(_BATCHES * flags.batch_rows)
    batches = np.split(features, _BATCHES)
    url = address(server, protocol)
    same, other = _make_rates(), _make_rates()
    seconds: list[list[float]] = [[], []]
    processes: list[list[float]] = [[], []]
    for repeat in range(flags.repeats):
        for number in _IN_FLIGHT:
            same[number].append(measure(protocol, url, batches[:1], number, flags.seconds))
            other[number].append(measure(protocol, url, batches, number, flags.seconds))
        for place, job in enumerate(jobs):
            output = job.parent / f"scores-{repeat}"
            processes[place].append(_run(job, output))
            seconds[place].append(manifest(output)["seconds"])
    long, short = map(median, seconds)
    steady = (sizes[0] - sizes[1]) / (long - short)
    return Figures(
        same=max(map(median, same.values())),
        other=max(map(median, other.values())),
        job=flags.rows / long,
        steady=steady,
        ends=long - flags.rows / steady,
        process=flags.rows / median(processes[0]),
    )


def _make_rates() -> dict[int, list[float]]:
    """Return room for the rates of a client, by requests in flight."""
    return {number: [] for number in _IN_FLIGHT}


def _write(
    folder: Path, server: RealServer, protocol: str, rows: int, flags: argparse.Namespace
) -> Path:
    """Write shards and job, and return the job's file."""
    features = _features(rows)
    for number, places in enumerate(np.array_split(np.arange(rows), _SHARDS)):
        columns = {name: features[places, at] for at, name in enumerate(NAMES)}
        write_parquet(folder / f"shards/{number}.parquet", pa.table({"id": places, **columns}))
    return write_remote_job(
        folder,
        server,
        protocol,
        columns=dict.fromkeys(NAMES, "float"),
        batch_rows=flags.batch_rows,
    )


def _features(rows: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(rows, COLUMNS)).astype(np.float32)


def _run(job: Path, output: Path) -> float:
    """Return the seconds of a whole process."""
    command = [sys.executable, "-m", "pipelines.score", "--config", str(job), "--quiet"]
    begin = time.monotonic()
    subprocess.run([*command, "--output", str(output)], cwd=REPOSITORY, check=True)
    return time.monotonic() - begin


def measure_overhead(
    server: RealServer, features: np.ndarray, requests: int = _OVERHEAD_REQUESTS
) -> float:
    """Return how many milliseconds longer our client takes for a batch than gRPC's stub alone.

    Args:
        server: that answers both, in turn.
        features: (rows, columns) of each request.
        requests: of each.
    """
    target = Target("oip-grpc", server.grpc_url, "churn")
    calls = Calls(connect(target), target)
    request = grpc_request(features)
    with grpc.insecure_channel(server.grpc_url.removeprefix("grpc://")) as channel:
        stub = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        differences = []
        for _ in range(requests):
            begin = time.perf_counter()
            stub(request)
            middle = time.perf_counter()
            calls({"features": features})
            end = time.perf_counter()
            differences.append((end - middle) - (middle - begin))
    calls.close()
    return median(differences) * 1_000


if __name__ == "__main__":
    sys.exit(main())
