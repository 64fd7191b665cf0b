"""The engines that tuning tries: those that read a form of the model, and are installed."""

from collections.abc import Sequence
from typing import NamedTuple

from configs.errors import JobError
from model_zoo.engines.engine import Engine, choose_engine, find_missing_library, list_readers
from model_zoo.package.card import ModelCard


class FoundEngines(NamedTuple):
    """The engines that read a form of the model.

    Attributes:
        usable: those that are installed here.
        missing: those that are not.
    """

    usable: tuple[Engine, ...]
    missing: tuple[Engine, ...]


def find_engines(
    card: ModelCard,
    wanted: str,
    without: Sequence[str],
    device_type: str,
) -> FoundEngines:
    """Return the engines that tuning tries.

    Args:
        card: what the package holds.
        wanted: the engine that the job names, or `auto`.
        without: engines to leave out, among other words. The reference is measured all the same.
        device_type: where the job computes.

    Raises:
        JobError: nothing is left of the engine that the job names.
    """
    if wanted in without:
        raise JobError(
            f"--without {wanted}: the job says model.engine {wanted}; leave one of them out"
        )
    usable, missing = [], []
    for engine in list_readers(card):
        if wanted not in ("auto", engine.name) or engine.name in without:
            continue
        # The one that the job names is tried all the same, and says why it cannot be.
        if device_type not in engine.device_types and wanted == "auto":
            continue
        if find_missing_library(engine) is None:
            usable.append(engine)
        else:
            missing.append(engine)
    return FoundEngines(tuple(usable), tuple(missing))


def describe_missing(engine: Engine) -> str:
    """Return how to install an engine."""
    return f"{engine.name} is not installed: pip install '.[{engine.extra}]'"


def find_reference(card: ModelCard) -> str:
    """Return the engine that computes the scores that all others are compared with."""
    return choose_engine(card)
