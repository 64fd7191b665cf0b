"""What a training that was stopped goes on from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Checkpoints:
    """Where a training keeps how far it is.

    Attributes:
        folder: a path or URL, of this training alone.
        job: digest of the job and its data; a checkpoint of another one is refused.
        minutes: after which one is written within an epoch, too; at the end of each it always is.
    """

    folder: str
    job: str
    minutes: float = 10.0
