"""What a training job and its rows come to, once all that the data tell is known."""

from dataclasses import dataclass

import pyarrow as pa

from pipelines.training.fitting_job import FittingJob
from pipelines.training.labels import Labelled
from pipelines.training.split import Places


@dataclass(frozen=True)
class Understood:
    """What is trained, and on which rows.

    Attributes:
        job: complete.
        rows: those with a label, all columns.
        labelled: what is learned of each of them.
        places: which of them are in which part.
        notes: what was found and decided, in words.
        unlabelled: how many rows have no label.
    """

    job: FittingJob
    rows: pa.Table
    labelled: Labelled
    places: Places
    notes: tuple[str, ...]
    unlabelled: int
