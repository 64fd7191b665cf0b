"""One loop without Beam, in a process of its own: `python -m tests.benchmarks.loops WORKLOAD SHARDS PACKAGE OUTPUT LOOP`.

Comes in: shards and a model package. Goes out: one Parquet file of id and scores per shard, and a line `seconds <work>` without the
imports. No checks, no rejected rows, no manifest: this is what those cost.

A workload's loops are in `<workload>_loops.py`: `LOOPS` by name, each `(shards, package, output) -> None`.
"""

import importlib

from tests.benchmarks.contender_program import told, work_timed


def main() -> None:
    arguments = told("loop")
    loop = importlib.import_module(f"tests.benchmarks.{arguments.workload}_loops").LOOPS[
        arguments.loop
    ]
    with work_timed():
        loop(sorted(arguments.shards.glob("part-*")), arguments.package, arguments.output)


if __name__ == "__main__":
    main()
