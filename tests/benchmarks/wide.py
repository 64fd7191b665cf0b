"""200 columns of mixed types with missing values: the pipeline beside pandas and scikit-learn."""

from tests.benchmarks.answers import PROBABILITIES
from tests.benchmarks.compare import Shards, Workload
from tests.benchmarks.contenders import loop, made, pipeline, selected
from tests.benchmarks.sizes import Sizes


def wide(sizes: Sizes) -> Workload:
    """The workload at a size."""
    folder = sizes.folder / "wide"
    shards, package = Shards(folder, sizes.wide_rows, sizes.shards), folder / "package"
    contenders = [
        pipeline(shards, package, PROBABILITIES.columns),
        *(loop("wide", name, shards, package) for name in ("plain", "best")),
    ]
    workload = Workload(
        name="wide",
        title="wide: 200 columns of mixed types with missing values, preprocessing fitted with scikit-learn, MLP 410-128-1",
        contenders=contenders,
        reference="plain",
        agreement=PROBABILITIES,
        absent={},
        prepare=made("wide_data", folder, contenders),
    )
    return selected(workload, sizes.wanted)
