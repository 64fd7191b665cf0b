"""The last comparison: settings and numbers of workers take turns, so that a busy minute slows all of them.

Reading and preprocessing are timed with them, as a worker does all three: beside a preprocessing that
takes most of the time, a network that is twice as fast is not worth scores that differ. Workers are
part of what is compared: one worker alone reads while nobody scores, and several wait for each other
where they share the interpreter's lock, as those do that decode tiny pictures, so that they gain next
to nothing from a faster network.

    the fastest and the reference, each number of workers -> all finalists, the numbers that are near
        -> what is far behind leaves after some turns
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import NamedTuple

from model_zoo.engines.machine import cores
from model_zoo.engines.settings import Settings
from pipelines.tuning.bench import Bench, Score, time_pass
from pipelines.tuning.budget import Budget
from pipelines.tuning.measured import Measured, count_departures
from pipelines.tuning.night import Night
from pipelines.tuning.sample import ReadRows
from pipelines.tuning.workers import list_numbers

# A gain that is smaller is not worth scores that differ.
WORTH_IT = 1.03
# So much faster must another number of workers be than one per core: turns leave out what a run writes,
# and that it ends with one worker that the others wait for.
_WORTH_OTHER_WORKERS = 1.1
# Of those that are near the fastest: so many that two of them that differ by a few percent are told
# apart.
_ROUNDS = 9
# When the time is up: a median needs three.
_FEWEST_ROUNDS = 3
# In which numbers of workers are told that are far behind, with the fastest network and with the
# reference: how much of the time preprocessing takes is between these two for all others.
_ROUNDS_OF_NUMBERS = 3
_NEAR = 0.85
# How often the rows of a turn are looked for: of the few of a mini-batch preprocessing takes many times
# as long as of a batch, and what is so found has still too few.
_GROWTHS = 3
# Who is slower than such a part of the fastest leaves after so many turns: the fewer they are, the
# more of a difference a busy moment may have made.
_HOPELESS = {1: 0.25, 2: 0.5, 3: 0.7, 4: 0.85, 5: 0.9}


class Comparison(NamedTuple):
    """What came of the turns.

    Attributes:
        best: settings with their fastest number of workers; the one to keep first, then the fastest.
        turns: all that was compared, the fastest first.
    """

    best: list[Measured]
    turns: list[Measured]


def compare_in_turns(
    bench: Bench,
    reference: Measured,
    finalists: Sequence[Measured],
    night: Night,
    budget: Budget,
) -> Comparison:
    """Return the finalists with workers, rates and gains, reading and preprocessing included.

    Args:
        bench: the model and the sample.
        reference: what the gains are over; it takes its turns whether it is a finalist or not.
        finalists: settings that may be kept, at least one.
        night: the rows of a run, and what loading costs.
        budget: when it is over, no more turns are taken than are needed.
    """
    fastest, *others = sorted(finalists, key=_find_rate, reverse=True)
    extremes = [fastest]
    if fastest.settings != reference.settings:
        extremes.append(reference)
    numbers = list_numbers(bench.sample, fastest.settings.batch_rows)

    race = _Race(bench, budget, _find_whole_rate(bench, fastest))
    for measured in extremes:
        race.enter(measured, numbers)
    race.take_turns(_ROUNDS_OF_NUMBERS)
    near = race.keep_near_numbers()
    for measured in others:
        if measured.settings != reference.settings:
            race.enter(measured, near)
    race.take_turns(_ROUNDS)

    turns = race.list_results(reference.settings)
    kept = [finalist.settings for finalist in finalists]
    eligible = [measured for measured in turns if measured.settings in kept]
    return Comparison(rank(eligible, reference, night), turns)


def rank(
    compared: Sequence[Measured],
    reference: Measured,
    night: Night,
) -> list[Measured]:
    """Return settings in order: the one to keep first, then the fastest, each once.

    A run loads the model and then scores its rows. Of those that take about as long as the fastest,
    the simplest is the one to keep: so little is not worth scores that differ, nor a library more.

    Args:
        compared: settings with workers and rates.
        reference: simpler than all others.
        night: tells how long a run takes.
    """
    find_seconds = partial(_find_run_seconds, night)
    by_seconds = sorted(compared, key=find_seconds)
    most = find_seconds(by_seconds[0]) * WORTH_IT
    tied = [measured for measured in by_seconds if find_seconds(measured) <= most]
    # The first of equals, which is the fastest of them.
    simplest = min(tied, key=partial(_count_oddities, reference=reference))
    ranked = [simplest]
    known = {simplest.settings}
    for measured in by_seconds:
        if measured.settings not in known:
            known.add(measured.settings)
            ranked.append(measured)
    return ranked


def _find_run_seconds(night: Night, measured: Measured) -> float:
    """Return how long a run takes, as it is compared: more with another number of workers."""
    seconds = night.find_run_seconds(measured)
    return seconds * _WORTH_OTHER_WORKERS if _has_other_workers(measured) else seconds


def _has_other_workers(measured: Measured) -> bool:
    return measured.workers not in (None, cores())


def _count_oddities(measured: Measured, reference: Measured) -> tuple[int, bool]:
    """Return how far settings are from what is simple: scores that differ count for more than workers."""
    departures = count_departures(measured.settings, reference.settings)
    return departures, _has_other_workers(measured)


def _find_rate(measured: Measured) -> float:
    return measured.rate


def _find_whole_rate(bench: Bench, fastest: Measured) -> float:
    """Return about how many rows/s are read, preprocessed and scored: by that, turns have their rows."""
    settings = fastest.settings
    workers = cores()
    score = bench.load(settings, workers)
    rate = 0.0
    timed_rows = 0
    for _ in range(_GROWTHS):
        # The fewest to begin with: a mini-batch for each core.
        pieces = bench.choose_read_rows(rate, settings.batch_rows, workers)
        rows = _count_rows(pieces)
        if rows <= timed_rows:
            break
        take_piece = partial(_take_piece, bench, score, pieces)
        # The first call is slower than those after it.
        take_piece(0)
        rate = rows / time_pass(take_piece, len(pieces), workers)
        timed_rows = rows
    return rate


@dataclass
class _Entrant:
    """A loaded model, and rows for some workers to preprocess and score in every turn.

    Attributes:
        score: the model; None once it has left.
        rates: rows/s on all cores, by round.
    """

    measured: Measured
    workers: int
    bench: Bench
    score: Score | None
    pieces: Sequence[ReadRows]
    rates: dict[int, float] = field(default_factory=dict)

    def take_turn(self, number: int) -> None:
        """Take the turn of a round."""
        assert self.score is not None  # noqa: S101 - who has left takes none
        take_piece = partial(_take_piece, self.bench, self.score, self.pieces)
        rows = _count_rows(self.pieces)
        seconds = time_pass(take_piece, len(self.pieces), self.workers)
        self.rates[number] = rows / seconds

    def find_gain(self, other: "_Entrant") -> float:
        """Return how many times as fast as another this is, in most rounds that both were in."""
        # Round by round, as both were slowed by the same.
        shared = self.rates.keys() & other.rates.keys()
        rates = [(self.rates[number], other.rates[number]) for number in shared]
        gains = [own / others for own, others in rates]
        return median(gains)


@dataclass
class _Race:
    """Entrants that take turns, round by round.

    Attributes:
        rate: rows/s, about, which tells how many rows a turn has.
        entrants: all, also those that have left.
        round: the number of the next one.
    """

    bench: Bench
    budget: Budget
    rate: float
    entrants: list[_Entrant] = field(default_factory=list)
    round: int = 0

    @property
    def running(self) -> list[_Entrant]:
        return [entrant for entrant in self.entrants if entrant.score is not None]

    @property
    def pacemaker(self) -> _Entrant:
        """Return the one that is in every round, whom all are measured by."""
        return self.entrants[0]

    def enter(self, measured: Measured, numbers: Sequence[int]) -> None:
        """Load settings for each number of workers.

        Args:
            measured: the settings, and how fast they were alone.
            numbers: of workers.
        """
        settings = measured.settings
        for workers in numbers:
            score = self.bench.load(settings, workers)
            pieces = self.bench.choose_read_rows(self.rate, settings.batch_rows, workers)
            _warm_up(self.bench, score, pieces[0], settings.batch_rows)
            entrant = _Entrant(measured, workers, self.bench, score, pieces)
            self.entrants.append(entrant)

    def take_turns(self, rounds: int) -> None:
        """Have all take so many turns, but those that fall behind."""
        for done in range(rounds):
            # What has begun is worth nothing without a median.
            if done >= _FEWEST_ROUNDS and self.budget.is_over:
                return
            for entrant in self.running:
                entrant.take_turn(self.round)
            self.round += 1
            self._let_hopeless_leave()

    def keep_near_numbers(self) -> list[int]:
        """Return the numbers of workers that any settings are fast with, and let the others leave."""
        pacemaker = self.pacemaker
        near: list[int] = []
        for settings in {entrant.measured.settings for entrant in self.entrants}:
            own = [entrant for entrant in self.entrants if entrant.measured.settings == settings]
            best = max(entrant.find_gain(pacemaker) for entrant in own)
            for entrant in own:
                is_near = entrant.find_gain(pacemaker) >= _NEAR * best
                if is_near and entrant.workers not in near:
                    near.append(entrant.workers)
        for entrant in self.running:
            if entrant.workers not in near:
                self._leave(entrant)
        # One per core first.
        return sorted(near, reverse=True)

    def list_results(self, reference: Settings) -> list[Measured]:
        """Return what all came to, the fastest first, with gains over the reference.

        That has the workers that it would be kept with.
        """
        pacemaker = self.pacemaker
        gains = [entrant.find_gain(pacemaker) for entrant in self.entrants]
        of_reference = []
        for entrant, gain in zip(self.entrants, gains, strict=True):
            if entrant.measured.settings == reference:
                of_reference.append(gain)
        # It entered with one worker per core first.
        with_most_workers = of_reference[0]
        baseline = max(of_reference)
        if baseline <= with_most_workers * _WORTH_OTHER_WORKERS:
            baseline = with_most_workers
        # By gains, as some were in rounds in which the machine was busier.
        pace = median(pacemaker.rates.values())
        results = []
        for entrant, gain in zip(self.entrants, gains, strict=True):
            result = replace(
                entrant.measured,
                rows_per_second=gain * pace,
                speed_up=gain / baseline,
                workers=entrant.workers,
                rounds=len(entrant.rates),
            )
            results.append(result)
        return sorted(results, key=_find_rate, reverse=True)

    def _let_hopeless_leave(self) -> None:
        pacemaker = self.pacemaker
        gains = {id(entrant): entrant.find_gain(pacemaker) for entrant in self.running}
        largest = max(gains.values())
        for entrant in self.running:
            turns = len(entrant.rates)
            least = _HOPELESS.get(turns, 0.0) * largest
            if gains[id(entrant)] < least:
                self._leave(entrant)

    def _leave(self, entrant: _Entrant) -> None:
        # All are measured by it.
        if entrant is not self.pacemaker:
            # Its model's memory is free for those that enter.
            entrant.score = None


def _take_piece(
    bench: Bench,
    score: Score,
    pieces: Sequence[ReadRows],
    number: int,
) -> None:
    bench.prepare_and_score(score, pieces[number])


def _warm_up(
    bench: Bench,
    score: Score,
    piece: ReadRows,
    batch_rows: int,
) -> None:
    """Score a mini-batch: the first call is slower than those after it, as some engines compile then."""
    rows = min(piece.length, batch_rows)
    first = piece._replace(length=rows)
    _take_piece(bench, score, [first], 0)


def _count_rows(pieces: Sequence[ReadRows]) -> int:
    return sum(piece.length for piece in pieces)
