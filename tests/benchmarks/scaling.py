"""How cost grows with rows, shards and workers: `python -m tests.benchmarks.scaling`.

    rows       1e5 ... 1e8 rows, made just before and removed right after     -> seconds, rows/s, microseconds per row, memory
    shards     10 ... 100 000 shards of 20 rows, which are put together       -> plan, score, resume and publish, no-op, memory
    units      10 ... 10 000 of them, a unit of work each, as large ones are  -> the same
    workers    1, 2, 4 threads or processes on the same rows                  -> seconds, memory
    requests   runs on an S3 server (moto) on this machine                    -> requests of a shard, and of a unit

Every run is the whole program in a process of its own. `--json` keeps what was measured, part by part: a later call with other
--parts on the same machine adds to it. `--table` and `--plot` are written from all of it, so docs/scaling.md is a command's output.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
import json
import os
from pathlib import Path
import platform
import shutil
import sys
from typing import Any

import psutil

from tests.benchmarks.scaling_data import TINY_ROWS
from tests.benchmarks.scaling_requests import count_requests
from tests.benchmarks.scaling_run import ROOT, Run, make, score, spread, write_job

_ROWS_PER_SHARD = 1_000_000
_FEWEST_SHARDS = 4
_BYTES_PER_ROW = 60  # of input and output together
# Small files take whole blocks; at most input, and attempt and done-record of two copies.
_BYTES_PER_SHARD = 40_000
_MODES = ("multi_threading", "multi_processing")
_LIBRARIES = ("apache-beam", "pyarrow", "torch")

Figures = dict[str, Any]


def measure_rows(a: argparse.Namespace, scratch: Path) -> Iterator[Figures]:
    """Whole runs at growing numbers of rows, and without any."""
    sizes: list[Figures] = []
    for rows in (0, *a.rows):
        shards = max(_FEWEST_SHARDS, -(-rows // _ROWS_PER_SHARD)) if rows else 1
        with _inputs(scratch, "rows", str(rows), str(shards)) as inputs:
            runs = [_fresh(scratch, inputs) for _ in range(a.repeats)]
        sizes.append({"rows": rows, "shards": shards, **_summary(runs)})
        _say(f"  {rows:,} rows: {sizes[-1]['seconds'][0]:.1f} s")
        yield {"sizes": sizes}


def measure_workers(a: argparse.Namespace, scratch: Path) -> Iterator[Figures]:
    """Whole runs on the same rows with more and more workers, threads of one process or processes."""
    taken: dict[tuple[str, int], list[Run]] = {
        (mode, count): [] for mode in _MODES for count in a.workers
    }
    shards = max(2 * max(a.workers), -(-a.worker_rows // _ROWS_PER_SHARD))
    with _inputs(scratch, "rows", str(a.worker_rows), str(shards)) as inputs:
        for _ in range(a.repeats):  # interleaved: a machine that is slow for a minute slows all
            for (mode, count), runs in taken.items():
                flags = (f"--direct_running_mode={mode}", f"--direct_num_workers={count}")
                runs.append(_fresh(scratch, inputs, *flags))
                _say(f"  {mode}, {count} workers: {runs[-1].seconds:.1f} s")
    runs_of = [
        {"mode": mode, "workers": count, **_summary(runs)} for (mode, count), runs in taken.items()
    ]
    yield {"rows": a.worker_rows, "shards": shards, "runs": runs_of}


def measure_shards(a: argparse.Namespace, scratch: Path) -> Iterator[Figures]:
    """Planning, scoring, resuming and doing nothing, at growing numbers of shards; one shard is what all cost at least."""
    yield from _measure_sizes(a.shards, a, scratch)


def measure_units(a: argparse.Namespace, scratch: Path) -> Iterator[Figures]:
    """The same of shards that are a unit of work each, however many they are."""
    # A shard that fills a file is put together with no other.
    yield from _measure_sizes(a.units, a, scratch, rows_per_file=TINY_ROWS)


def _measure_sizes(
    counts: Sequence[int],
    a: argparse.Namespace,
    scratch: Path,
    rows_per_file: int | None = None,
) -> Iterator[Figures]:
    sizes: list[Figures] = []
    for shards in (1, *counts):
        sizes.append(_measure_shards(shards, a, scratch, rows_per_file))
        yield {"rows_per_shard": TINY_ROWS, "sizes": sizes}


def _measure_shards(
    shards: int, a: argparse.Namespace, scratch: Path, rows_per_file: int | None
) -> Figures:
    kept = scratch / "kept"
    job = partial(write_job, package=scratch / "package", rows_per_file=rows_per_file)
    with _inputs(scratch, "tiny", str(shards)) as inputs:
        config = job(scratch / "kept.yaml", inputs, output=kept)
        graph_bytes = int(make("scored", str(config)))
        sizes = {"shards": shards, "graph_bytes": graph_bytes, **_describe_files(kept)}
        config = job(scratch / "output.yaml", inputs, output=scratch / "output")
        taken: dict[str, list[Run]] = {}
        for _ in range(a.repeats):
            for name, run in _shard_runs(config, kept, scratch, scored=shards <= a.scored_shards):
                taken.setdefault(name, []).append(run)
                _say(f"  {shards:,} shards, {name}: {run.seconds:.1f} s")
        sizes["manifest_bytes"] = sum(
            p.stat().st_size for p in (scratch / "output").glob("runs/*/_manifest.json")
        )
        shutil.rmtree(kept)
    return sizes | {name: _summary(runs) for name, runs in taken.items()}


def _shard_runs(config: Path, kept: Path, scratch: Path, scored: bool) -> Iterator[tuple[str, Run]]:
    """A dry run (all of planning), a whole run, the resumption of one killed before it published, and one with nothing to do."""
    output = _clear(scratch)
    yield "plan", score(config, output, "--dry_run")
    if scored:
        yield "score", score(config, output)
    shutil.copytree(kept, _clear(scratch), copy_function=os.link)
    yield "resume", score(config, output)
    yield "nothing", score(config, output)


def measure_requests(a: argparse.Namespace, scratch: Path) -> Iterator[Figures]:
    """Requests to an object store that each shard costs, and each unit."""
    with _inputs(scratch, "tiny", "1") as inputs:
        content = next(inputs.iterdir()).read_bytes()
    yield count_requests(content, scratch / "package", scratch, a.request_shards)


def _describe_files(kept: Path) -> Figures:
    """Return how many units there are, as each has a record, and the bytes of what is stored."""
    records = [p.stat().st_size for p in kept.glob("_tmp/*/done/*")]
    return {
        "units": len(records),
        "plan_bytes": sum(p.stat().st_size for p in kept.glob("_tmp/*/plan.json")),
        "done_bytes": sum(records),
    }


def _fresh(scratch: Path, inputs: Path, *flags: str) -> Run:
    output = _clear(scratch)
    try:
        return score(
            write_job(scratch / "output.yaml", inputs, scratch / "package", output), output, *flags
        )
    finally:
        _clear(scratch)


def _clear(scratch: Path) -> Path:
    output = scratch / "output"
    shutil.rmtree(output, ignore_errors=True)
    return output


@contextmanager
def _inputs(scratch: Path, kind: str, *sizes: str) -> Iterator[Path]:
    """Shards of a kind and size, for as long as the block runs."""
    folder = scratch / "inputs"
    make(kind, str(folder), *sizes)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _summary(runs: Sequence[Run]) -> Figures:
    """Medians and ranges; phases only of runs that had them."""
    summary: Figures = {
        "seconds": spread([r.seconds for r in runs]),
        "cpu_seconds": spread([r.cpu_seconds for r in runs]),
        "peak_mb": spread([r.peak_bytes / 1e6 for r in runs]),
    }
    if rates := [r.worker_rate for r in runs if r.worker_rate is not None]:
        summary["worker_rate"] = spread(rates)
    phases = [p for r in runs if (p := r.phases()) is not None]
    return summary | {
        name: spread([p[name] for p in phases]) for name in (phases[0] if phases else ())
    }


PARTS: dict[str, Callable[[argparse.Namespace, Path], Iterator[Figures]]] = {
    "rows": measure_rows,
    "shards": measure_shards,
    "units": measure_units,
    "workers": measure_workers,
    "requests": measure_requests,
}
# What each part was told, so that the page names a command that gives it.
_FLAGS = {
    "rows": ("rows", "repeats"),
    "shards": ("shards", "scored_shards", "repeats"),
    "units": ("units", "scored_shards", "repeats"),
    "workers": ("workers", "worker_rows", "repeats"),
    "requests": ("request_shards",),
}


def machine() -> str:
    """What the figures belong to."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ]
        cpu = names[0] if names else cpu
    memory = psutil.virtual_memory().total / 2**30
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GiB of memory, Python {platform.python_version()}, {libraries}"


def _measured_before(path: Path | None) -> Figures:
    """Figures of earlier calls, if they are of this machine."""
    if path is None or not path.exists():
        return {"machine": machine()}
    figures: Figures = json.loads(path.read_text())
    return figures if figures["machine"] == machine() else {"machine": machine()}


def _refuse_small_disk(a: argparse.Namespace) -> None:
    wanted = {
        "rows": max(a.rows, default=0) * _BYTES_PER_ROW,
        "shards": max(a.shards, default=0) * _BYTES_PER_SHARD,
        "units": max(a.units, default=0) * _BYTES_PER_SHARD,
        "workers": a.worker_rows * _BYTES_PER_ROW,
        "requests": 0,
    }
    most, free = max(wanted[part] for part in a.parts), shutil.disk_usage(a.folder).free
    if most > free:
        sys.exit(
            f"{a.folder}: needs {most / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free; choose smaller sizes or another --folder"
        )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _list_flags(a: argparse.Namespace, part: str) -> list[str]:
    """Return the flags that a part was measured with, as they are typed."""
    flags = []
    for name in _FLAGS[part]:
        value = getattr(a, name)
        values = value if isinstance(value, list) else [value]
        flags.append(" ".join([f"--{name}", *map(str, values)]))
    return flags


def _count(text: str) -> int:
    return int(float(text))


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "tests.benchmarks.scaling", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rows", nargs="+", type=_count, default=[10**n for n in range(5, 9)])
    parser.add_argument("--shards", nargs="+", type=_count, default=[10**n for n in range(1, 6)])
    parser.add_argument(
        "--units",
        nargs="+",
        type=_count,
        default=[10**n for n in range(1, 5)],
        help="shards that are a unit of work each",
    )
    parser.add_argument(
        "--scored_shards",
        type=_count,
        default=100_000,
        help="whole runs up to this many shards; beyond only plan, resume, no-op",
    )
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument(
        "--worker_rows", type=_count, default=10**7, help="rows that the workers share"
    )
    parser.add_argument(
        "--request_shards",
        type=int,
        default=100,
        help="requests: those of as many and of twice as many, and of as many that are put together",
    )
    parser.add_argument("--repeats", type=int, default=3)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser.add_argument(
        "--folder",
        type=Path,
        default=cache / "batch-prediction-benchmark",
        help="where inputs are made, and removed",
    )
    parser.add_argument(
        "--json", type=Path, help="keep the numbers here, and add to those of earlier calls"
    )
    parser.add_argument("--table", type=Path, default=ROOT / "docs/scaling.md")
    parser.add_argument("--plot", type=Path, default=ROOT / "docs/scaling.svg")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    from tests.benchmarks.scaling_report import draw, page

    a = _arguments(argv)
    a.folder.mkdir(parents=True, exist_ok=True)
    _refuse_small_disk(a)
    if "requests" in a.parts and (
        missing := [name for name in ("moto", "s3fs") if find_spec(name) is None]
    ):
        sys.exit(
            f"--parts requests needs {' and '.join(missing)}; install the test extra, or name the other parts"
        )
    if find_spec("matplotlib") is None:
        sys.exit("the plot needs matplotlib; pip install '.[report]'")
    scratch = a.folder.resolve() / f"scaling-{os.getpid()}"
    scratch.mkdir()
    figures = _measured_before(a.json)
    try:
        make("package", str(scratch / "package"))
        for part in a.parts:
            _say(f"{part}:")
            for measured in PARTS[part](
                a, scratch
            ):  # size by size: what is measured survives what comes next
                figures[part] = {"flags": _list_flags(a, part), **measured}
                if a.json:
                    a.json.write_text(json.dumps(figures, indent=1) + "\n")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    a.table.parent.mkdir(parents=True, exist_ok=True)
    draw(figures, a.plot)
    a.table.write_text(page(figures, os.path.relpath(a.plot, a.table.parent)))
    print(a.table.read_text())


if __name__ == "__main__":
    main(sys.argv[1:])
