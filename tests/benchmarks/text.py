"""Texts of mixed length through a sentence model: the pipeline beside transformers."""

from tests.benchmarks.answers import EMBEDDINGS
from tests.benchmarks.compare import Shards, Workload
from tests.benchmarks.contenders import engines, loop, made, selected
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.text_data import INSTALL, is_installed
from tests.benchmarks.tuning import tuned_pipelines

_TOLERANCE = {"cosine": 0.999, "max_difference": 1.0}


def text(sizes: Sizes) -> Workload | str:
    """The workload at a size, or why it cannot be."""
    if not is_installed():
        return INSTALL
    folder = sizes.folder / "text"
    shards, package = (
        Shards(folder, sizes.texts, max(1, min(8, sizes.texts // 128))),
        folder / "package",
    )
    there, absent = engines("text", package, {"ray": shards}, sizes.wanted)
    pipelines, tune = tuned_pipelines(shards, package, EMBEDDINGS.columns, _TOLERANCE)
    contenders = [
        *pipelines,
        *(loop("text", name, shards, package) for name in ("plain", "best", "best_of_engine")),
        *there,
    ]
    workload = Workload(
        name="text",
        title="text: docstrings of at most 256 tokens, all-MiniLM-L6-v2",
        contenders=contenders,
        reference="plain",
        agreement=EMBEDDINGS,
        absent=absent,
        prepare=made("text_data", folder, contenders),
        before=tune if "pipeline" in sizes.wanted else dict,
        whole_answers=True,
    )
    return selected(workload, sizes.wanted)
