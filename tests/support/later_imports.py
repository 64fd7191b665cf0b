"""What programs of ours import only once it is needed, by program."""

from collections.abc import Iterable, Mapping
import importlib

LATER: Mapping[str, tuple[str, ...]] = {
    "pipelines.score": (
        "pipelines.scoring.plan_job",
        "pipelines.scoring.dry_run",
        "pipelines.scoring.graph",
        "pipelines.scoring.launch",
    ),
    "pipelines.train": ("pipelines.training.load_job", "pipelines.training.train_model"),
    "pipelines.package": (
        "pipelines.packing.load_job",
        "pipelines.packing.gather",
        "pipelines.packing.graph_packing",
        "pipelines.packing.network_packing",
    ),
    "pipelines.tune": ("pipelines.tuning.tune_job",),
    "pipelines.evaluate": ("pipelines.evaluating.compared", "pipelines.evaluating.tasks"),
    "pipelines.verify": ("pipelines.verifying.verify_run",),
    "pipelines.release": ("pipelines.verifying.release_run",),
    "pipelines.report": ("pipelines.reporting.report_run",),
    "pipelines.promote": ("pipelines.versions.moving",),
}


def import_later_ones(programs: Iterable[str]) -> None:
    """Import now what these programs would import later, so that no test waits for it."""
    for program in programs:
        for name in LATER.get(program, ()):
            importlib.import_module(name)
