"""Load the model with any settings, as tuning times it."""

from collections.abc import Callable
from functools import partial

import numpy as np

from model_zoo.arrays import Arrays
from model_zoo.engines.settings import Device, Settings
from model_zoo.package.packed_model import PackedModel
from model_zoo.scoring.devices import threads_for
from model_zoo.scoring.scored import Scored
from model_zoo.scoring.scorer import load_scorer
from pipelines.tuning.bench import Load, Score


def make_loader(
    package: PackedModel,
    device: Device,
    timeout_seconds: float,
) -> Load:
    """Return what loads a model with settings, for so many workers.

    Args:
        package: the model.
        device: where it computes.
        timeout_seconds: of a mini-batch.
    """
    return partial(_load, package, device, timeout_seconds)


def _load(
    package: PackedModel,
    device: Device,
    timeout_seconds: float,
    settings: Settings,
    workers: int,
) -> Score:
    threads = threads_for(workers)
    scorer = load_scorer(package, device, settings, threads, timeout_seconds)
    return partial(_score, scorer)


def _score(score: Callable[[Arrays], Scored], inputs: Arrays) -> Arrays:
    """Return scores; NaN for rows that the network fails on.

    A job would reject as many of those as it allows.
    """
    scored = score(inputs)
    if not scored.rejected:
        return scored.outputs

    rejected = list(scored.rejected)
    outputs: Arrays = {}
    for name, values in scored.outputs.items():
        # Integers have no NaN.
        with_nan = values.astype(np.float64)
        with_nan[rejected] = np.nan
        outputs[name] = with_nan
    return outputs
