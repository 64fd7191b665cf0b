"""How many workers of one machine are fastest with preprocessing: one per core, or one for all."""

from functools import partial
from statistics import median
from typing import NamedTuple, TypeAlias

from model_zoo.arrays import Arrays
from model_zoo.engines.machine import cores
from model_zoo.engines.settings import Settings
from pipelines.tuning.bench import ROUNDS, WORTH_IT, Bench, Score, time_pass
from pipelines.tuning.sample import Prepare, count_all_rows

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
    many, one = _time_in_turns(bench, settings, len(parts), most)
    rounds = zip(many, one, strict=True)
    gains = [of_many / of_one for of_many, of_one in rounds]
    best = most
    if median(gains) > WORTH_IT:
        best = 1

    rows = count_all_rows(parts)
    rates = {
        most: rows / median(many),
        1: rows / median(one),
    }
    return Workers(best, rates)


def _time_in_turns(
    bench: Bench,
    settings: Settings,
    parts: int,
    most: int,
) -> tuple[Seconds, Seconds]:
    """Return the seconds of each pass over the parts with many workers, and with one."""
    score_many = bench.load(settings, most)
    score_one = bench.load(settings, 1)
    prepare = bench.sample.prepare
    take_part_of_many = partial(_prepare_and_score, prepare, score_many)
    take_part_alone = partial(_prepare_and_score, prepare, score_one)
    many: Seconds = []
    one: Seconds = []
    # In turns, so that a busy minute slows both.
    for _ in range(ROUNDS):
        many.append(time_pass(take_part_of_many, parts, most))
        one.append(time_pass(take_part_alone, parts, 1))
    return many, one


def _prepare_and_score(prepare: Prepare, score: Score, number: int) -> Arrays:
    inputs = prepare(number)
    return score(inputs)
