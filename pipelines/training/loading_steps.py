"""Which steps of a training job read files."""

from model_zoo.steps.load_file import LoadFile
from pipelines.training.fitting_job import FittingJob


def list_loading_steps(job: FittingJob) -> tuple[LoadFile, ...]:
    """Return the steps of a job that read files."""
    steps = job.preprocess or ()
    return tuple(step for step in steps if isinstance(step, LoadFile))
