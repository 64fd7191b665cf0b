"""The last comparison: the fastest settings take turns, so that a busy minute slows all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np

from model_zoo.arrays import Arrays
from model_zoo.engines.machine import cores
from pipelines.tuning.bench import ROUNDS, WORTH_IT, Bench, Score, time_pass
from pipelines.tuning.measured import Measured
from pipelines.tuning.sample import Parts, count_all_rows


def compare_in_turns(bench: Bench, finalists: Sequence[Measured]) -> Measured:
    """Return the first of these, float32, eager, or the one that beats it most.

    Args:
        bench: the model and the sample.
        finalists: float32, eager, first.
    """
    fastest = max(measured.rate for measured in finalists)
    entrants = [_enter(bench, measured, fastest) for measured in finalists]
    for _ in range(ROUNDS):
        for entrant in entrants:
            entrant.take_turn()

    float32 = entrants[0]
    gains = [entrant.find_gain(float32) for entrant in entrants]
    winner = int(np.argmax(gains))
    # So little is not worth scores that differ: float32 stays.
    if gains[winner] < WORTH_IT:
        winner = 0
    rates = entrants[winner].rates
    return replace(
        finalists[winner],
        rows_per_second=median(rates),
        speed_up=gains[winner],
    )


@dataclass
class _Entrant:
    """A loaded model, and rows to score in every turn.

    Attributes:
        rates: rows/s on all cores, turn by turn.
    """

    score: Score
    parts: Parts
    rates: list[float] = field(default_factory=list)

    def take_turn(self) -> None:
        count = len(self.parts)
        seconds = time_pass(self._score_part, count)
        rate = count_all_rows(self.parts) / seconds
        self.rates.append(rate)

    def find_gain(self, other: "_Entrant") -> float:
        """Return how many times as fast as another this is, in most rounds."""
        rounds = zip(self.rates, other.rates, strict=True)
        # Round by round, as both were slowed by the same.
        gains = [own / others for own, others in rounds]
        return median(gains)

    def _score_part(self, number: int) -> Arrays:
        return self.score(self.parts[number])


def _enter(bench: Bench, measured: Measured, fastest: float) -> _Entrant:
    settings = measured.settings
    score = bench.load(settings, cores())
    # As many rows for each as the fastest of all needs.
    parts = bench.choose_parts(fastest, settings.batch_rows)
    return _Entrant(score, parts)
