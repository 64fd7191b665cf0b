"""One setting, and what came of measuring it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from model_zoo.engines.settings import Settings
from model_zoo.evaluation.agreement import Agreement


@dataclass(frozen=True)
class Measured:
    """One setting, and what came of it.

    Attributes:
        rows_per_second: on all cores; of the network alone, until settings are compared in turns,
            which includes preprocessing; None when it could not be loaded.
        speed_up: over the reference, both measured in turns; None where that was not done.
        agreement: with the reference; None when it was given up.
        problem: why it was given up, or cannot be kept.
        workers: that shared the cores when it was compared in turns; None where that was not done.
        rounds: turns that it took.
    """

    settings: Settings
    rows_per_second: float | None = None
    speed_up: float | None = None
    agreement: Agreement | None = None
    problem: str = ""
    workers: int | None = None
    rounds: int = 0

    @property
    def rate(self) -> float:
        """Return rows per second; 0 when it could not be loaded."""
        return self.rows_per_second or 0.0


def list_kept(measured: Sequence[Measured]) -> list[Measured]:
    """Return those without a problem, the fastest first."""
    kept = [result for result in measured if not result.problem]
    return sorted(kept, key=_find_rate, reverse=True)


def find_fastest_of_new_kind(
    kept: Sequence[Measured],
    found: Sequence[Measured],
) -> Measured | None:
    """Return the fastest whose kind none of those found has; None when there is none.

    Args:
        kept: the fastest first.
        found: those of the kinds that are known.
    """
    known = [_find_kind(result) for result in found]
    for result in kept:
        if _find_kind(result) not in known:
            return result
    return None


def count_departures(settings: Settings, reference: Settings) -> int:
    """Return in how many ways settings differ from the reference: fewer are simpler.

    Args:
        settings: any.
        reference: those that all are compared with.
    """
    departures = [
        settings.engine != reference.engine,
        settings.dtype != reference.dtype,
        settings.layout != reference.layout,
        settings.compiled != reference.compiled,
    ]
    # Sizes of mini-batches are none: any is as simple as another.
    return sum(departures)


class _Kind(NamedTuple):
    """What tells settings apart, but for sizes of mini-batches."""

    engine: str
    dtype: str
    layout: str
    is_compiled: bool


def _find_kind(measured: Measured) -> _Kind:
    settings = measured.settings
    return _Kind(settings.engine, settings.dtype, settings.layout, settings.compiled)


def _find_rate(measured: Measured) -> float:
    return measured.rate
