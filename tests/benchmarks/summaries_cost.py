"""What the profile of a run costs: `python -m tests.benchmarks.summaries_cost tabular --rows 16000000`.

The program scores the same shards without and with `monitor.summaries=[profile]`, in turn, whole processes with their start-up. Printed
are the medians of the clock and of the processor's seconds, and how much the profile adds. The model's package gets a profile of training, of
some rows of the first shard, as packages have one that `pipelines.train` or `pipelines.package` made.
"""

import argparse
import hashlib
import os
from pathlib import Path
import resource
import shutil
from statistics import median
import subprocess
import sys
import time
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import yaml

from model_zoo.evaluation.data_profile import profile_table
from pipelines.training.held_out import to_parquet
from tests.benchmarks.answers import CLASSES, PROBABILITIES
from tests.benchmarks.compare import ROOT, Shards
from tests.benchmarks.pipeline_job import score_command

KEEP = {
    "tabular": PROBABILITIES.columns,
    "wide": PROBABILITIES.columns,
    "images": CLASSES.columns,
}
PACKAGES = {"tabular": "package-32-64"}
_PROFILED_ROWS = 20_000


class Taken(NamedTuple):
    """Seconds of one run: of the clock, and of processors."""

    clock: float
    processor: float


def add_profile(package: Path, shard: Path) -> Path:
    """Copy a package, with a profile of some rows of a shard."""
    target = package.with_name(f"{package.name}-profiled")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(package, target)
    card = yaml.safe_load((target / "model.yaml").read_text())
    names = [column["name"] for column in card["columns"]]
    first = next(pq.ParquetFile(shard).iter_batches(_PROFILED_ROWS, columns=names))
    features = dict(zip(names, first.select(names).columns, strict=True))
    content = to_parquet(profile_table(features, {}))
    (target / "profile.parquet").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    card["files"]["profile.parquet"] = {"sha256": digest, "bytes": len(content)}
    (target / "model.yaml").write_text(yaml.safe_dump(card, sort_keys=False))
    return target


def score_once(command: list[str], output: Path) -> Taken:
    """Run the program into an empty output."""
    shutil.rmtree(output, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", *command, "--quiet"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    clock = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(clock, taken)


def measure(
    workload: str, folder: Path, shards: Shards, runs: int, every_row: bool = False
) -> dict[str, list[Taken]]:
    """Run without and with the profile, in turn."""
    plain = folder / PACKAGES.get(workload, "package")
    package = add_profile(plain, min(shards.path.glob("*.parquet")))
    sections: dict[str, dict[str, Any]] = {
        "without": {},
        "with": {"monitor": {"summaries": ["profile"], "every_row": every_row}},
    }
    taken: dict[str, list[Taken]] = {name: [] for name in sections}
    # The first run of each, which finds nothing in the machine's cache, does not count.
    for number in range(runs + 1):
        for name, more in sections.items():
            output = folder / f"summaries-{name}"
            command = score_command(output, shards, package, KEEP[workload], more)
            found = score_once(command, output)
            if number:
                taken[name].append(found)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=sorted(KEEP))
    parser.add_argument("--rows", type=int, default=16_000_000)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--every_row", action="store_true", help="of large units, too")
    parser.add_argument("--folder", type=Path, default=Path("build/benchmarks"))
    arguments = parser.parse_args()
    folder = (arguments.folder / arguments.workload).absolute()
    shards = Shards(folder, arguments.rows, arguments.shards)
    data = f"tests.benchmarks.{arguments.workload}_data"
    command = [sys.executable, "-m", data, str(folder), "--sizes", shards.size]
    subprocess.run(command, cwd=ROOT, check=True)
    taken = measure(arguments.workload, folder, shards, arguments.runs, arguments.every_row)
    print(
        f"{arguments.workload}, {arguments.rows:,} rows, {os.cpu_count()} cores, {arguments.runs} runs"
    )
    for place, kind in enumerate(Taken._fields):
        without, profiled = (median(run[place] for run in taken[name]) for name in taken)
        more = profiled / without - 1
        print(f"  {kind} seconds: {without:.2f} without, {profiled:.2f} with, {more:+.1%}")


if __name__ == "__main__":
    main()
