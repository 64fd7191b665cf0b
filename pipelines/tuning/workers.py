"""How many workers of one machine are fastest with preprocessing: one per core, one for all, or between.

4 cores: 4 workers x 1 thread, 2 x 2, 1 x 4
"""

from collections.abc import Mapping, Sequence
from functools import partial
from statistics import median
from typing import NamedTuple, TypeAlias

from model_zoo.engines.machine import cores
from model_zoo.engines.settings import Settings
from pipelines.tuning.bench import ROUNDS, WORTH_IT, Bench, Score, time_pass
from pipelines.tuning.sample import ReadRows

# Numbers of workers that are tried beside one per core: a half, a quarter, and one for all.
_SHARES = (2, 4)
Seconds: TypeAlias = list[float]


class Workers(NamedTuple):
    """How many workers were fastest.

    Attributes:
        best: that number.
        rates: rows/s by number of workers; none for a sample that is too small to tell.
    """

    best: int
    rates: dict[int, float]


def choose_workers(
    bench: Bench,
    settings: Settings,
    rows_per_second: float,
) -> Workers:
    """Find out how many workers are fastest with preprocessing, which share all cores.

    Args:
        bench: the model and the sample.
        settings: how the network computes.
        rows_per_second: how fast the model is, about.
    """
    most = cores()
    needed_rows = 2 * most * settings.batch_rows
    if most == 1 or bench.sample.rows < needed_rows:
        return Workers(most, {})

    pieces = bench.choose_read_rows(rows_per_second, settings.batch_rows)
    seconds = _time_in_turns(bench, settings, pieces, _list_numbers(most))
    rows = sum(piece.length for piece in pieces)
    rates = {workers: rows / median(passes) for workers, passes in seconds.items()}
    return Workers(_find_best(seconds, most), rates)


def _list_numbers(most: int) -> list[int]:
    """Return the numbers of workers that are tried, one per core first."""
    numbers = [most]
    for share in _SHARES:
        workers = most // share
        if workers > 1:
            numbers.append(workers)
    numbers.append(1)
    return numbers


def _find_best(seconds: Mapping[int, Seconds], most: int) -> int:
    """Return one worker per core, or the number that beats it most, where that is worth it."""
    best = most
    largest_gain = WORTH_IT
    for workers, passes in seconds.items():
        # Round by round, as both were slowed by the same.
        rounds = zip(seconds[most], passes, strict=True)
        gain = median(of_most / own for of_most, own in rounds)
        if gain > largest_gain:
            best = workers
            largest_gain = gain
    return best


def _time_in_turns(
    bench: Bench,
    settings: Settings,
    pieces: Sequence[ReadRows],
    numbers: Sequence[int],
) -> dict[int, Seconds]:
    """Return the seconds of each pass over the rows, by number of workers."""
    takers = {}
    for workers in numbers:
        score = bench.load(settings, workers)
        takers[workers] = partial(_take_piece, bench, score, pieces)
    seconds: dict[int, Seconds] = {workers: [] for workers in numbers}
    # In turns, so that a busy minute slows all of them.
    for _ in range(ROUNDS):
        for workers, take_piece in takers.items():
            passed = time_pass(take_piece, len(pieces), workers)
            seconds[workers].append(passed)
    return seconds


def _take_piece(bench: Bench, score: Score, pieces: Sequence[ReadRows], number: int) -> None:
    bench.prepare_and_score(score, pieces[number])
