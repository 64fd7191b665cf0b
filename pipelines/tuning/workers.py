"""How many workers of one machine are fastest with preprocessing: one per core, or one for all."""

from functools import partial
from statistics import median
from typing import NamedTuple

from model_zoo.arrays import Arrays
from model_zoo.engines.machine import cores
from model_zoo.engines.settings import Settings
from pipelines.tuning.bench import ROUNDS, WORTH_IT, Bench, Score, time_pass
from pipelines.tuning.sample import Parts, Prepare, count_all_rows


class Workers(NamedTuple):
    """How many workers were fastest.

    Attributes:
        best: that number.
        rates: rows/s by number of workers; none for a sample that is too small to tell.
    """

    best: int
    rates: dict[int, float]


def choose_workers(bench: Bench, settings: Settings, rows_per_second: float) -> Workers:
    """Find out how many workers are fastest with preprocessing: one per core, or one for all.

    Args:
        bench: the model and the sample.
        settings: how the network computes.
        rows_per_second: of the network alone.
    """
    most = cores()
    needed_rows = 2 * most * settings.batch_rows
    if most == 1 or bench.sample.rows < needed_rows:
        return Workers(most, {})

    parts = bench.choose_parts(rows_per_second, batch_rows=1)
    seconds = _time_in_turns(bench, settings, parts, most)
    rounds = zip(seconds[most], seconds[1], strict=True)
    gains = [many / one for many, one in rounds]
    best = most
    if median(gains) > WORTH_IT:
        best = 1

    rows = count_all_rows(parts)
    rates = {workers: rows / median(took) for workers, took in seconds.items()}
    return Workers(best, rates)


def _time_in_turns(
    bench: Bench, settings: Settings, parts: Parts, most: int
) -> dict[int, list[float]]:
    """Return the seconds of each pass over the parts, by number of workers: many, and one."""
    scorers: dict[int, Score] = {}
    seconds: dict[int, list[float]] = {}
    for workers in (most, 1):
        scorers[workers] = bench.load(settings, workers)
        seconds[workers] = []
    # In turns, so that a busy minute slows both.
    for _ in range(ROUNDS):
        for workers, score in scorers.items():
            score_part = partial(_prepare_and_score, bench.sample.prepare, score)
            took = time_pass(score_part, len(parts), workers)
            seconds[workers].append(took)
    return seconds


def _prepare_and_score(prepare: Prepare, score: Score, number: int) -> Arrays:
    inputs = prepare(number)
    return score(inputs)
