"""What the graph costs per batch: the same rows in few and in many batches, through the graph and through its functions in a loop.

    (graph, many - graph, few - (functions, many - functions, few)) / (many - few)

Start-up, planning, publishing and the work on rows are the same in both terms of a difference; what batches cost by themselves, in
Arrow, numpy, torch and this repository's own functions, is the same in both differences. What is left is Beam's. The network takes
as many rows at a time everywhere; the rows are one unit, so one worker has them all, with the one thread that is its share.
"""

from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.answers import PROBABILITIES
from tests.benchmarks.compare import Contender, Figures, Run, Shards, Workload, spread
from tests.benchmarks.contenders import loop, made
from tests.benchmarks.pipeline_job import score_command
from tests.benchmarks.sizes import MANY, Sizes


def batches(sizes: Sizes) -> Workload:
    """The workload at a number of batches."""
    folder = sizes.folder / "tabular"
    shards, package = Shards(folder, sizes.batches * MANY, 1), folder / "package-32-64"

    def graph(name: str, sections: dict[str, dict[str, int]]) -> Contender:
        def command(output: Path) -> list[str]:
            return score_command(output, shards, package, PROBABILITIES.columns, sections)

        return Contender(name, command, shards)

    contenders = [
        graph("graph, many", {"source": {"rows_per_batch": MANY}, "model": {"batch_rows": MANY}}),
        graph("graph, few", {"model": {"batch_rows": MANY}}),
        *(loop("batches", name, shards, package) for name in ("functions, many", "functions, few")),
    ]
    return Workload(
        name="batches",
        title=f"batches: {shards.rows:,} rows, in {sizes.batches:,} batches of {MANY} and in few, one unit",
        contenders=contenders,
        reference="functions, few",
        agreement=PROBABILITIES,
        absent={},
        prepare=made("tabular_data", folder, contenders),
        derived=_per_batch,
    )


def _per_batch(workload: Workload) -> Figures:
    count = workload.contenders[0].shards.rows / MANY
    figures: Figures = {}
    for what, seconds_of in (("", _work_seconds), (" of a core", _cpu_seconds)):
        graph, functions = (
            _extra_seconds(workload, name, seconds_of) for name in ("graph", "functions")
        )
        figures[f"milliseconds{what} per batch, functions"] = spread(
            [1e3 * f / count for f in functions]
        )
        figures[f"milliseconds{what} per batch, the graph's own"] = spread(
            [1e3 * (g - f) / count for g, f in zip(graph, functions, strict=True)]
        )
    return figures


def _extra_seconds(
    workload: Workload, name: str, seconds_of: Callable[[Run], float]
) -> list[float]:
    many, few = (workload.runs_of(f"{name}, {which}") for which in ("many", "few"))
    return [seconds_of(a) - seconds_of(b) for a, b in zip(many, few, strict=True)]


def _work_seconds(run: Run) -> float:
    return run.work_seconds or run.seconds


def _cpu_seconds(run: Run) -> float:
    return run.cpu_seconds
