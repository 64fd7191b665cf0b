"""What the graph costs per batch: the same rows in few and in many batches, through the graph and through its functions in a loop.

    (graph, many - graph, few - (functions, many - functions, few)) / (many - few)

Start-up, planning, publishing and the work on rows are the same in both terms of a difference; what batches cost by themselves, in
Arrow, numpy, torch and this repository's own functions, is the same in both differences. What is left is Beam's. One worker each.
"""

from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.answers import PROBABILITIES
from tests.benchmarks.batches_loops import MANY
from tests.benchmarks.compare import Contender, Figures, Run, Shards, Workload, spread
from tests.benchmarks.contenders import loop, made
from tests.benchmarks.pipeline_job import score_command
from tests.benchmarks.sizes import Sizes


def batches(sizes: Sizes) -> Workload:
    """The workload at a number of batches."""
    folder = sizes.folder / "tabular"
    shards, package = Shards(folder, sizes.batches * MANY, 1), folder / "package-32-64"

    def graph(name: str, sections: dict[str, dict[str, int]]) -> Contender:
        def command(output: Path) -> list[str]:
            return [*score_command(output, shards, package, PROBABILITIES.columns, sections), "--direct_num_workers=1"]

        return Contender(name, command, shards)

    contenders = [
        graph("graph, many", {"source": {"rows_per_batch": MANY}}),
        graph("graph, few", {}),
        *(loop("batches", name, shards, package) for name in ("functions, many", "functions, few")),
    ]
    return Workload(
        name="batches",
        title=f"batches: {shards.rows:,} rows, in {sizes.batches:,} batches of {MANY} and in few, one worker",
        contenders=contenders,
        reference="functions, few",
        agreement=PROBABILITIES,
        absent={},
        prepare=made("tabular_data", folder, contenders),
        derived=_per_batch,
    )


def _per_batch(workload: Workload) -> Figures:
    graph, functions = (_extra_seconds(workload, name) for name in ("graph", "functions"))
    count = workload.contenders[0].shards.rows / MANY
    both = zip(graph, functions, strict=True)
    return {
        "milliseconds per batch, functions": spread([1e3 * f / count for f in functions]),
        "milliseconds per batch, the graph's own": spread([1e3 * (g - f) / count for g, f in both]),
    }


def _extra_seconds(workload: Workload, name: str) -> Sequence[float]:
    def work(run: Run) -> float:
        return run.work_seconds or run.seconds

    many, few = (workload.runs_of(f"{name}, {which}") for which in ("many", "few"))
    return [work(a) - work(b) for a, b in zip(many, few, strict=True)]
