"""What a package is made of, as far as it is known: a job, a sample, weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from configs.fields import Names
from configs.packaging import PackagingJob
from model_zoo.steps.load_file import LoadFile
from model_zoo.steps.table import AnyStep
from pipelines.packing.networks.state import Weights


@dataclass(frozen=True)
class Reading:
    """How the sample was read.

    Attributes:
        source: fields of the job's source.
        steps: of the job, which read files.
    """

    source: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[LoadFile, ...] = ()


# Whatever pipelines.score reads when it is told nothing.
AS_IT_IS = Reading()


@dataclass(frozen=True)
class Trained:
    """What is known of a network that was trained just now.

    Attributes:
        metrics: figures by part of the data, as the card keeps them.
        libraries: those that trained it, beside the ones that any network has.
        replaces: whether a package that stands is replaced.
    """

    metrics: Mapping[str, Any] = field(default_factory=dict)
    libraries: Names = ()
    replaces: bool = False


# Of a network that somebody else trained.
ELSEWHERE = Trained()


@dataclass(frozen=True)
class Material:
    """What a package is made of; None stands for what is missing, or could not be read.

    Attributes:
        job: the packaging job.
        sample: rows as the nightly job will have them.
        expected: the author's own scores of these rows.
        weights: of the network.
        reading: how the sample was read.
        trained: what is known of the network's training.
        notes: what of the sample was left out, in words.
        settings: what was taken over from a library, in words.
        is_ready: whether nothing hinders that the model is called: what else the job needs was found.
    """

    job: PackagingJob[AnyStep]
    sample: pa.Table | None = None
    expected: pa.Table | None = None
    weights: Weights | None = None
    reading: Reading = AS_IT_IS
    trained: Trained = ELSEWHERE
    notes: Names = ()
    settings: Names = ()
    is_ready: bool = True
