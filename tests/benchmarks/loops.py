"""One loop without Beam, in a process of its own: `python -m tests.benchmarks.loops WORKLOAD LOOP SHARDS PACKAGE OUTPUT`.

Comes in: shards and a model package. Goes out: one Parquet file of id and scores per shard, and a line `seconds <work>` without the
imports. No checks, no rejected rows, no manifest: this is what those cost.

A workload's loops are in `<workload>_loops.py`: `LOOPS` by name, each `(shards, package, output) -> None`.
"""

import argparse
import importlib
from pathlib import Path
import time


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("loop")
    parser.add_argument("shards", type=Path)
    parser.add_argument("package", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    loop = importlib.import_module(f"tests.benchmarks.{arguments.workload}_loops").LOOPS[arguments.loop]
    started = time.perf_counter()
    loop(sorted(arguments.shards.glob("*.parquet")), arguments.package, arguments.output)
    print(f"seconds {time.perf_counter() - started:.3f}")


if __name__ == "__main__":
    main()
