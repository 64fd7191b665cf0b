"""200 columns of mixed types with missing values: the pipeline beside pandas and scikit-learn."""

from dataclasses import replace

from tests.benchmarks.answers import PROBABILITIES
from tests.benchmarks.compare import Shards, Workload
from tests.benchmarks.contenders import loop, made, pipeline, selected
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.tuning import tuned_pipelines

_TOLERANCE = {"label_agreement": 0.999, "max_difference": 1e-5}


def wide(sizes: Sizes) -> Workload:
    """The workload at a size."""
    folder = sizes.folder / "wide"
    shards, package = Shards(folder, sizes.wide_rows, sizes.shards), folder / "package"
    (tuned, _), tune = tuned_pipelines(shards, package, PROBABILITIES.columns, _TOLERANCE)
    contenders = [
        pipeline(shards, package, PROBABILITIES.columns),
        # Tables are fast without tuning, so what tuning finds stands beside the default settings.
        replace(tuned, name="auto"),
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
        before=tune if "auto" in sizes.wanted else dict,
    )
    return selected(workload, sizes.wanted)
