"""32 float32 columns through a small MLP: the pipeline beside loops without Beam, other engines, and stock RunInference."""

from dataclasses import replace
from statistics import median

from tests.benchmarks.answers import PROBABILITIES
from tests.benchmarks.compare import Figures, Shards, Workload
from tests.benchmarks.contenders import engines, loop, made, pipeline, selected
from tests.benchmarks.sizes import Sizes

LOOPS = ("plain", "best", "tuned")


def tabular(sizes: Sizes) -> Workload:
    """The workload at a size; engines get fewer rows, and stock RunInference, one row at a time, fewer still."""
    folder = sizes.folder / "tabular"
    package = folder / "package-32-64"
    big = Shards(folder, sizes.tabular_rows, sizes.shards)
    few, fewer = Shards(folder, sizes.engine_rows, 4), Shards(folder, sizes.stock_rows, 1)
    there, absent = engines(
        "tabular", package, {"ray": few, "daft": few, "spark": few, "stock": fewer}, sizes.wanted
    )
    scored = pipeline(big, package, PROBABILITIES.columns)
    contenders = [scored, *(loop("tabular", name, big, package) for name in LOOPS), *there]
    extras = [
        replace(pipeline(Shards(folder, 0, 1), package, PROBABILITIES.columns), name="start-up")
    ]
    if sizes.memory:
        more = pipeline(
            Shards(folder, 4 * sizes.tabular_rows, sizes.shards), package, PROBABILITIES.columns
        )
        extras += [replace(scored, name="memory 1x", runs=[]), replace(more, name="memory 4x")]
    workload = Workload(
        name="tabular",
        title="tabular: 32 float32 columns, MLP 32-64-1",
        contenders=contenders,
        reference="plain",
        agreement=PROBABILITIES,
        absent=absent,
        prepare=made("tabular_data", folder, [*contenders, *extras]),
        extras=extras,
        derived=_memory,
    )
    return selected(workload, sizes.wanted)


def _memory(workload: Workload) -> Figures:
    peaks = {
        c.name: median(r.peak_bytes for r in c.runs)
        for c in workload.extras
        if c.name.startswith("memory")
    }
    return (
        {"memory at 4x rows / at 1x": round(peaks["memory 4x"] / peaks["memory 1x"], 3)}
        if peaks
        else {}
    )
