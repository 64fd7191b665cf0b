"""The pipeline beside loops without Beam and stock RunInference: `python -m tests.benchmarks.tabular`.

    make shards -> [ pipeline, plain, best, tuned, stock ] x repeats -> compare answers -> table, JSON

Every run is a process of its own, so seconds and peak memory are its own. Runs are interleaved, and a ratio is the median over the
repeats of ratios of neighbours: a machine that is slow for a minute slows both. `seconds` is the whole process with its imports;
`work` is what the process itself says it took. Slow is no failure; a wrong answer is one (exit status 1).

A process starts with the peak memory of the one that forks it, so this one imports pyarrow and numpy but never torch or Beam.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import re
import shutil
from statistics import median
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

COLUMNS = 32
TOLERANCE = 1e-5
_MODULES = "tests.benchmarks"
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Shards:
    """Input of a run: a folder with `rows` rows in `files` files, named after both by tabular_data."""

    folder: Path
    rows: int
    files: int

    @property
    def path(self) -> Path:
        return self.folder / f"rows-{self.rows}-{self.files}"

    @property
    def package(self) -> Path:
        return self.folder / f"package-{COLUMNS}-64"


@dataclass(frozen=True)
class Run:
    """What one process took; `work_seconds` is what it printed, None if it printed nothing."""

    seconds: float
    work_seconds: float | None
    peak_bytes: int


@dataclass
class Contender:
    """A name, the command that scores shards into a folder, and what its runs took."""

    name: str
    command: Callable[[Shards, Path], list[str]]
    shards: Shards
    runs: list[Run] = field(default_factory=list)


def pipeline(shards: Shards, output: Path) -> list[str]:
    """This repository's program, as a person calls it."""
    job = {
        "name": "benchmark",
        "source": {"paths": f"{shards.path}/*.parquet", "format": "parquet", "key": "id"},
        "model": {"package": str(shards.package), "device": "cpu", "dtype": "float32"},
        "postprocess": {"keep": ["probability"]},
        "sink": {"path": str(output)},
    }
    config = output.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(job, sort_keys=False))
    return ["pipelines.score", "--runner=DirectRunner", f"--config={config}"]


def plain(shards: Shards, output: Path) -> list[str]:
    """The loop that people write."""
    return [f"{_MODULES}.tabular_loops", "plain", *_paths(shards, output)]


def best(shards: Shards, output: Path) -> list[str]:
    """The best loop: columns, memory map, two threads."""
    return [f"{_MODULES}.tabular_loops", "best", *_paths(shards, output)]


def tuned(shards: Shards, output: Path) -> list[str]:
    """The best loop with what this repository found out since."""
    return [f"{_MODULES}.tabular_loops", "tuned", *_paths(shards, output)]


def stock(shards: Shards, output: Path) -> list[str]:
    """Beam's row-wise RunInference."""
    return [f"{_MODULES}.tabular_stock", *_paths(shards, output)]


CONTENDERS = {"pipeline": pipeline, "plain": plain, "best": best, "tuned": tuned, "stock": stock}


def _paths(shards: Shards, output: Path) -> list[str]:
    return [str(shards.path), str(shards.package), str(output)]


def measure(contender: Contender, output: Path) -> Run:
    """Score into a fresh folder, in a fresh process.

    Raises:
        SystemExit: the process failed; its output is shown.
    """
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    log = output.with_suffix(".log")
    with log.open("w") as file:
        began = time.perf_counter()
        command = [sys.executable, "-m", *contender.command(contender.shards, output)]
        process = subprocess.Popen(command, cwd=_ROOT, stdout=file, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{contender.name} failed with exit status {process.returncode}:\n{log.read_text()}")
    said = re.findall(r"^\s*seconds\s+([\d.]+)$", log.read_text(), re.MULTILINE)
    peak_unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, float(said[-1]) if said else None, usage.ru_maxrss * peak_unit)


def written_files(output: Path) -> list[Path]:
    """The Parquet files of a run: where the pipeline published them, or in the folder itself."""
    current = output / "current"
    return sorted((current if current.exists() else output).glob("*.parquet"))


def check_answers(reference: Path, actual: Path, name: str, rows: int, compared_rows: int) -> float:
    """Compare row counts, and the probabilities of the first `compared_rows` ids; return the largest difference.

    Raises:
        SystemExit: a row is missing, twice or different.
    """
    count = sum(pq.read_metadata(path).num_rows for path in written_files(actual))
    if count != rows:
        sys.exit(f"{name} wrote {count:,} rows, expected {rows:,}")
    expected, found = (_first_rows(folder, compared_rows) for folder in (reference, actual))
    if not found.column("id").equals(expected.column("id")):
        sys.exit(f"{name}: ids of the first {compared_rows:,} rows are not those of the input")
    difference = np.abs(found.column("probability").to_numpy() - expected.column("probability").to_numpy())
    largest = float(difference.max(initial=0.0))
    if not largest < TOLERANCE:
        sys.exit(f"{name}: probabilities differ by {largest:.3g}, more than {TOLERANCE}")
    return largest


def _first_rows(output: Path, rows: int) -> pa.Table:
    parts = [pq.read_table(path, columns=["id", "probability"], filters=[("id", "<", rows)]) for path in written_files(output)]
    return pa.concat_tables(parts).combine_chunks().sort_by("id")


def ratios(contender: Contender, other: Contender) -> list[float]:
    """Rows per second of the one over those of the other, repeat by repeat.

    Whole processes against each other; only stock, which has few rows, counts its work alone: its start-up is a gift to it.
    """

    def rate(c: Contender, run: Run) -> float:
        return c.shards.rows / ((run.work_seconds or run.seconds) if c.name == "stock" else run.seconds)

    return [rate(contender, a) / rate(other, b) for a, b in zip(contender.runs, other.runs, strict=True)]


def report(contenders: Sequence[Contender]) -> dict[str, dict[str, object]]:
    """Medians and ranges of every contender, as JSON has them."""
    first = contenders[0]
    return {
        c.name: {
            "rows": c.shards.rows,
            "seconds": _spread([r.seconds for r in c.runs]),
            "work_seconds": _spread([r.work_seconds for r in c.runs if r.work_seconds is not None]),
            "million_rows_per_second": _spread([c.shards.rows / r.seconds / 1e6 for r in c.runs]),
            "work_million_rows_per_second": _spread([c.shards.rows / r.work_seconds / 1e6 for r in c.runs if r.work_seconds]),
            "peak_mb": _spread([r.peak_bytes / 1e6 for r in c.runs]),
            f"{first.name}_is_times_faster": _spread(ratios(first, c)) if c is not first else None,
        }
        for c in contenders
    }


def _spread(values: Sequence[float]) -> list[float] | None:
    return [round(v, 4) for v in (median(values), min(values), max(values))] if values else None


def table(summary: dict[str, dict[str, object]]) -> str:
    """The summary as text, `median (min..max)`."""
    names = list(summary)
    heads = ["seconds", "work s", "M rows/s", "work M rows/s", "peak MB", f"{names[0]} / it"]
    lines = [["", "rows", *heads]]
    for name, row in summary.items():
        lines.append([name, f"{row['rows']:,}", *(_cell(v) for key, v in row.items() if key != "rows")])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in lines)


def _cell(spread: object) -> str:
    if not isinstance(spread, list):
        return "-"
    digits = 0 if spread[0] >= 100 else 2 if spread[0] >= 0.1 else 4
    middle, low, high = (f"{value:.{digits}f}" for value in spread)
    return f"{middle} ({low}..{high})"


def compare(contenders: Sequence[Contender], repeats: int, scratch: Path) -> dict[str, float]:
    """Run all, interleaved, and compare their answers with the first one's; return the largest difference of each."""
    differences: dict[str, float] = {}
    for repeat in range(repeats):
        for c in contenders:
            c.runs.append(measure(c, scratch / c.name))
            _say(f"  repeat {repeat + 1}: {c.name} {c.runs[-1].seconds:.1f} s")
        for c in contenders:
            compared = min(contenders[0].shards.rows, c.shards.rows, -(-contenders[0].shards.rows // contenders[0].shards.files))
            difference = check_answers(scratch / contenders[0].name, scratch / c.name, c.name, c.shards.rows, compared)
            differences[c.name] = max(difference, differences.get(c.name, 0.0))
    return differences


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _make(folder: Path, shards: Sequence[Shards]) -> None:
    sizes = [f"{s.rows}/{s.files}" for s in shards]
    subprocess.run([sys.executable, "-m", f"{_MODULES}.tabular_data", str(folder), "--sizes", *sizes], cwd=_ROOT, check=True)


def _default_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "batch-prediction-benchmark"


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("tests.benchmarks.tabular", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--stock_rows", type=int, default=20_000, help="rows for stock RunInference, in one file")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), help="the first one is the reference"
    )
    parser.add_argument("--memory", action="store_true", help="also the pipeline's peak memory at 4 x --rows")
    parser.add_argument("--folder", type=Path, default=_default_folder(), help="where shards are made once, and kept")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    a = _arguments(argv)
    big = Shards(a.folder.resolve(), a.rows, a.shards)
    small, empty, bigger = (Shards(big.folder, rows, files) for rows, files in ((a.stock_rows, 1), (0, 1), (4 * a.rows, a.shards)))
    contenders = [Contender(name, CONTENDERS[name], small if name == "stock" else big) for name in a.contenders]
    extras = {"start-up": Contender("start-up", pipeline, empty)} if "pipeline" in a.contenders else {}
    if a.memory:
        extras |= {"memory 1x": Contender("memory 1x", pipeline, big), "memory 4x": Contender("memory 4x", pipeline, bigger)}
    _say(f"shards in {big.folder}")
    _make(big.folder, [*{c.shards for c in (*contenders, *extras.values())}])
    scratch = big.folder / f"scores-{os.getpid()}"
    try:
        differences = compare(contenders, a.repeats, scratch)
        for extra in extras.values():
            extra.runs += [measure(extra, scratch / "extra") for _ in range(a.repeats)]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    summary = report(contenders)
    print(table(summary))
    lines: dict[str, object] = {}
    for name, extra in extras.items():
        seconds, peak_mb = _spread([r.seconds for r in extra.runs]), _spread([r.peak_bytes / 1e6 for r in extra.runs])
        lines[name] = {"seconds": seconds, "peak_mb": peak_mb}
        print(f"{name}: {extra.shards.rows:,} rows, {_cell(seconds)} s, peak {_cell(peak_mb)} MB")
    if a.memory:
        peak = [median(r.peak_bytes for r in extras[name].runs) for name in ("memory 1x", "memory 4x")]
        lines["memory"] = {"ratio_4x_to_1x": round(peak[1] / peak[0], 4)}
        print(f"memory at 4x rows / at 1x: {peak[1] / peak[0]:.3f}")
    print(f"answers agree: largest difference {max(differences.values()):.2g} (allowed {TOLERANCE})")
    if a.json:
        a.json.write_text(json.dumps({"contenders": summary, "largest_difference": differences, **lines}, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
