"""Thousands of files of few rows: what a file costs, beside a loop over files."""

from tests.benchmarks.answers import PROBABILITIES
from tests.benchmarks.compare import Shards, Workload
from tests.benchmarks.contenders import loop, made, pipeline, selected
from tests.benchmarks.sizes import Sizes

ROWS_PER_SHARD = 100


def tiny(sizes: Sizes) -> Workload:
    """The workload at a size."""
    folder = sizes.folder / "tabular"
    shards, package = (
        Shards(folder, ROWS_PER_SHARD * sizes.tiny_shards, sizes.tiny_shards),
        folder / "package-32-64",
    )
    contenders = [
        pipeline(shards, package, PROBABILITIES.columns),
        *(loop("tabular", name, shards, package) for name in ("plain", "best")),
    ]
    workload = Workload(
        name="tiny",
        title=f"tiny: {sizes.tiny_shards:,} shards of {ROWS_PER_SHARD} rows, 32 float32 columns, MLP 32-64-1",
        contenders=contenders,
        reference="plain",
        agreement=PROBABILITIES,
        absent={},
        prepare=made("tabular_data", folder, contenders),
        whole_answers=True,
    )
    return selected(workload, sizes.wanted)
