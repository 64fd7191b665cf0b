"""The last comparison: the fastest settings take turns, so that a busy minute slows all of them.

Preprocessing is timed with them, as a worker does both: beside a preprocessing that takes most of
the time, a network that is twice as fast is not worth scores that differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from model_zoo.engines.machine import cores
from pipelines.tuning.bench import ROUNDS, WORTH_IT, Bench, Score, time_pass
from pipelines.tuning.measured import Measured, count_departures
from pipelines.tuning.sample import ReadRows


def compare_in_turns(
    bench: Bench,
    reference: Measured,
    finalists: Sequence[Measured],
) -> list[Measured]:
    """Return the finalists with rates and gains, preprocessing included.

    The one to keep comes first, then the fastest.

    Args:
        bench: the model and the sample.
        reference: what the gains are over; it takes its turns whether it is a finalist or not.
        finalists: settings that may be kept, at least one.
    """
    rates = [finalist.rate for finalist in finalists]
    rates.append(reference.rate)
    fastest = max(rates)
    baseline = _enter(bench, reference, fastest)
    entrants = []
    for finalist in finalists:
        entrant = baseline
        if finalist.settings != reference.settings:
            entrant = _enter(bench, finalist, fastest)
        entrants.append(entrant)
    # Once for each: the reference may be a finalist.
    turns = [baseline]
    turns.extend(entrant for entrant in entrants if entrant is not baseline)
    for _ in range(ROUNDS):
        for entrant in turns:
            entrant.take_turn()

    compared = []
    for finalist, entrant in zip(finalists, entrants, strict=True):
        found = replace(
            finalist,
            rows_per_second=median(entrant.rates),
            speed_up=entrant.find_gain(baseline),
        )
        compared.append(found)
    return rank(compared, reference)


def rank(compared: Sequence[Measured], reference: Measured) -> list[Measured]:
    """Return settings with their gains in order: the one to keep first, then the fastest.

    Of those that are about as fast as the fastest, the simplest is the one to keep: so little is
    not worth scores that differ, nor a library more.

    Args:
        compared: settings with gains.
        reference: what the gains are over.
    """
    by_gain = sorted(compared, key=_find_gain, reverse=True)
    fastest = by_gain[0]
    least = _find_gain(fastest) / WORTH_IT
    tied = [measured for measured in by_gain if _find_gain(measured) >= least]
    # The first of equals, which is the fastest of them.
    simplest = min(
        tied,
        key=lambda measured: count_departures(measured.settings, reference.settings),
    )
    others = [measured for measured in by_gain if measured is not simplest]
    return [simplest, *others]


def _find_gain(measured: Measured) -> float:
    return measured.speed_up or 0.0


@dataclass
class _Entrant:
    """A loaded model, and rows to preprocess and score in every turn.

    Attributes:
        rates: rows/s on all cores, turn by turn.
    """

    bench: Bench
    score: Score
    pieces: Sequence[ReadRows]
    rates: list[float] = field(default_factory=list)

    def take_turn(self) -> None:
        count = len(self.pieces)
        seconds = time_pass(self._take_piece, count)
        rows = sum(piece.length for piece in self.pieces)
        rate = rows / seconds
        self.rates.append(rate)

    def find_gain(self, other: "_Entrant") -> float:
        """Return how many times as fast as another this is, in most rounds."""
        rounds = zip(self.rates, other.rates, strict=True)
        # Round by round, as both were slowed by the same.
        gains = [own / others for own, others in rounds]
        return median(gains)

    def _take_piece(self, number: int) -> None:
        self.bench.prepare_and_score(self.score, self.pieces[number])


def _enter(bench: Bench, measured: Measured, fastest: float) -> _Entrant:
    settings = measured.settings
    score = bench.load(settings, cores())
    # As many rows for each as the fastest of all needs.
    pieces = bench.choose_read_rows(fastest, settings.batch_rows)
    return _Entrant(bench, score, pieces)
