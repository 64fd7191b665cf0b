"""Small pictures through a small convolutional network: the pipeline beside Pillow and torch."""

from tests.benchmarks.answers import CLASSES
from tests.benchmarks.compare import Shards, Workload
from tests.benchmarks.contenders import loop, made, selected
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.tuning import tuned_pipelines

_LOOPS = ("plain", "best", "best_of_engine")
_ROWS_PER_FILE = 4_096
_TOLERANCE = {"label_agreement": 0.995, "max_difference": 1.0}


def digits(sizes: Sizes) -> Workload:
    """Return the workload at a size."""
    folder = sizes.folder / "digits"
    files = max(1, min(8, sizes.digits // _ROWS_PER_FILE))
    shards = Shards(folder, sizes.digits, files)
    package = folder / "package"
    pipelines, tune = tuned_pipelines(shards, package, CLASSES.columns, _TOLERANCE)
    loops = [loop("digits", name, shards, package) for name in _LOOPS]
    contenders = [*pipelines, *loops]
    workload = Workload(
        name="digits",
        title="digits: PNG of 8 x 8 pixels, CNN of 4 convolutions",
        contenders=contenders,
        reference="plain",
        agreement=CLASSES,
        absent={},
        prepare=made("digits_data", folder, contenders),
        before=tune if "pipeline" in sizes.wanted else dict,
        whole_answers=True,
    )
    return selected(workload, sizes.wanted)
