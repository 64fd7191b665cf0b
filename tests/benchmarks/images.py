"""JPEG bytes in Parquet through a ResNet-18: the pipeline beside Pillow and torch."""

from tests.benchmarks.answers import CLASSES
from tests.benchmarks.compare import Shards, Workload
from tests.benchmarks.contenders import engines, loop, made, selected
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.tuning import tuned_pipelines

_TOLERANCE = {"label_agreement": 0.995, "max_difference": 1.0}


def images(sizes: Sizes) -> Workload:
    """Return the workload at a size."""
    folder = sizes.folder / "images"
    shards, few = (
        Shards(folder, rows, max(1, min(8, rows // 64)))
        for rows in (sizes.images, min(sizes.images, 512))
    )
    package = folder / "package"
    there, absent = engines("images", package, {"ray": few}, sizes.wanted)
    pipelines, tune = tuned_pipelines(shards, package, CLASSES.columns, _TOLERANCE)
    contenders = [
        *pipelines,
        *(loop("images", name, shards, package) for name in ("plain", "best", "best_of_engine")),
        *there,
    ]
    workload = Workload(
        name="images",
        title="images: JPEG bytes of 256 pixels on the short side, ResNet-18 at 224 x 224",
        contenders=contenders,
        reference="plain",
        agreement=CLASSES,
        absent=absent,
        prepare=made("images_data", folder, contenders),
        before=tune if "pipeline" in sizes.wanted else dict,
        whole_answers=True,
    )
    return selected(workload, sizes.wanted)
