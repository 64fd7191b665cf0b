"""The scores that a job will make of what a model gave for the sample, tokens among them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.package.card import InputColumn
from model_zoo.steps.table import AnyStep
from pipelines.packing.proof.scored_as import ScoredAs
from pipelines.planning.token_text import find_token_text
from transforms.scores.options import ScoreColumns
from transforms.token_places import find_places


def describe_scores(
    job: PackagingJob[AnyStep],
    rows: pa.Table,
    inputs: Arrays,
    mask: str | None = None,
    contract: Sequence[InputColumn] = (),
    steps: Sequence[AnyStep] = (),
) -> ScoredAs:
    """Return how scores are made of the outputs for some rows.

    Args:
        job: the job, with its activation.
        rows: of the sample.
        inputs: what the network took for them.
        mask: the input that tells tokens from padding, where there is one.
        contract: the model's columns.
        steps: all of the package.
    """
    is_regression = job.task == "regression"
    how = ScoreColumns(
        activation=job.activation or "none",
        labels=job.labels,
        numbers=job.labels if is_regression else (),
        tokens=None if mask is None else inputs[mask].shape[1],
    )
    if mask is None:
        return ScoredAs(how)
    lengths = np.count_nonzero(inputs[mask], axis=1)
    text = None
    if job.task == "tokens":
        text = find_token_text(mask, contract, steps)
    return ScoredAs(how, find_places(rows, lengths, text))
