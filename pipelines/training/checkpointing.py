"""Where a training job keeps how far it is, and what makes it this job."""

import hashlib
import json

from model_zoo.architectures.users_own import hash_source, is_users_own, module_of
from model_zoo.training.checkpoints import Checkpoints
from pipelines.training.fitting_job import FittingJob
from storage import files


def make_checkpoints(job: FittingJob) -> Checkpoints:
    """Return the checkpoints beside the job's output, `OUTPUT.checkpoint`.

    Args:
        job: complete.
    """
    output = str(job.output).rstrip("/")
    folder = files.to_absolute(f"{output}.checkpoint")
    return Checkpoints(folder, _digest(job))


def _digest(job: FittingJob) -> str:
    """Return a digest of what rows, weights and recipe do not tell: the network's code and parameters.

    Names, places and the report may change: they change no weight.
    """
    network = job.network
    augment = job.training.augment
    said = {
        "builder": network.builder,
        "parameters": network.parameters,
        "augment": None if augment is None else augment.model_dump(),
    }
    if network.builder is not None and is_users_own(network.builder):
        said["source"] = hash_source(module_of(network.builder))
    text = json.dumps(
        said,
        sort_keys=True,
        default=str,
    )
    digest = hashlib.sha256(text.encode())
    return digest.hexdigest()
