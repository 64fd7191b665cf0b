"""A model on a bench: with any settings, timed on a sample."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
import time
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from model_zoo.arrays import Arrays, count_rows
from model_zoo.engines.machine import cores
from model_zoo.engines.settings import Device, Settings
from model_zoo.package.packed_model import PackedModel
from pipelines.tuning.sample import Parts, ReadRows, Sample, cut_batches, join_parts

# Long enough that a moment in which the machine is busy does not count.
SECONDS = 1.0
# Of a pass that takes less, so many are enough, once they are a part of that time: of a fast engine
# on a small sample five passes are over within one busy moment.
_ENOUGH_PASSES = 5
_ENOUGH_SHARE = 0.25
# What the reference may take for the whole sample.
SAMPLE_SECONDS = 20.0
# With one piece each, workers would preprocess at the same time and then all score; in a run they get
# out of step, and one scores while another one preprocesses.
_PIECES_OF_A_WORKER = 2
# Texts are shorter than the longest, so that as many fit into one mini-batch; in a batch of a run, sorted
# by length, there are many.
_TEXT_MINI_BATCHES = 4
# Enough to count labels that differ.
_FEWEST_ROWS = 512
Score: TypeAlias = Callable[[Arrays], Arrays]
# Takes settings, and how many workers score at the same time, each with its share of the cores.
Load: TypeAlias = Callable[[Settings, int], Score]


class ScoredPass(NamedTuple):
    """The scores of all parts together, and the seconds that a pass over them takes."""

    scores: Arrays
    seconds: float


@dataclass(frozen=True)
class Bench:
    """A model and rows to time it on.

    Attributes:
        package, device: the model, and where it computes.
        sample: the rows.
        load: loads the model; raises a ModelError where it cannot be loaded so.
        sample_seconds: how long the reference may score the sample.
    """

    package: PackedModel
    device: Device
    sample: Sample
    load: Load
    sample_seconds: float = SAMPLE_SECONDS

    def choose_parts(self, rows_per_second: float, batch_rows: int) -> Parts:
        """Return what keeps all cores busy for so long that a difference can be seen.

        Args:
            rows_per_second: how fast the model is, about.
            batch_rows: a part has at least so many rows.
        """
        inputs = self.sample.inputs
        part_rows = count_rows(inputs[0])
        rows_at_once = cores() * max(batch_rows, part_rows)
        wanted_rows = int(SECONDS * rows_per_second)
        # At least once for all: a slow model scores less than a row in that time.
        times = max(1, _divide_up(wanted_rows, rows_at_once))
        count = _divide_up(times * rows_at_once, part_rows)
        return join_parts(inputs[:count], batch_rows)

    def choose_read_rows(
        self,
        rows_per_second: float,
        batch_rows: int,
        workers: int,
    ) -> list[ReadRows]:
        """Return rows to preprocess and score that keep all cores busy for about as long.

        Args:
            rows_per_second: how fast both are together, about.
            batch_rows: rows of a mini-batch.
            workers: how many take pieces, and share the cores.
        """
        least_rows = batch_rows
        if self.package.card.mask is not None:
            least_rows *= _TEXT_MINI_BATCHES
        wanted_rows = max(int(SECONDS * rows_per_second), cores() * least_rows)
        # Of a slow model a whole batch is too much, but each thread of a worker shall have a
        # mini-batch, as it has in a run.
        threads = max(1, cores() // workers)
        share = _divide_up(wanted_rows, workers * _PIECES_OF_A_WORKER)
        most_rows = max(threads * least_rows, share)
        chosen: list[ReadRows] = []
        rows = 0
        for piece in cut_batches(self.sample.batches, most_rows):
            if rows >= wanted_rows and len(chosen) % workers == 0:
                break
            chosen.append(piece)
            rows += piece.length
        # As many for each worker: one that is left over would be waited for by all others.
        left_over = len(chosen) % workers
        return chosen[: len(chosen) - left_over] or chosen

    def prepare_and_score(self, score: Score, rows: ReadRows) -> None:
        """Do with rows what a worker does, but for writing.

        Args:
            score: computes a mini-batch's scores.
            rows: as they were read.
        """
        # They are in memory already. A worker that reads does not hold the interpreter's lock, so
        # others preprocess meanwhile without waiting for it: time that is only added afterwards would
        # make several workers look slower than they are.
        time.sleep(rows.length * self.sample.read_seconds)
        inputs = self.sample.prepare(rows)
        # Preprocessing may have rejected all of them.
        if count_rows(inputs):
            score(inputs)

    def count_affordable_parts(self, score: Score) -> int:
        """Return how many parts of the sample a slow model scores in some seconds."""
        first = self.sample.inputs[0]
        part_rows = count_rows(first)
        # The first call is slower than those after it.
        score(first)
        seconds = time_call(score, first)
        affordable_rows = int(self.sample_seconds * cores() * part_rows / seconds)
        rows = max(_FEWEST_ROWS, affordable_rows)
        parts = _divide_up(rows, part_rows)
        # Every core shall have a part.
        return max(cores(), parts)

    def score_parts(self, score: Score, parts: Parts) -> ScoredPass:
        """Score all parts, and time that.

        Args:
            score: the loaded model.
            parts: arrays (rows, ...) by name.
        """
        count = len(parts)
        # By the part's number: threads come to their ends in any order.
        outputs: dict[int, Arrays] = {}

        def score_part(number: int) -> None:
            outputs[number] = score(parts[number])

        seconds = time_pass(score_part, count)
        scores: Arrays = {}
        for name in self.package.card.outputs:
            in_order = [outputs[number][name] for number in range(count)]
            scores[name] = np.concatenate(in_order)
        return ScoredPass(scores, seconds)


def time_call(score: Score, part: Arrays) -> float:
    """Return the seconds that one call takes.

    Args:
        score: the loaded model.
        part: arrays (rows, ...) by name.
    """
    began = time.perf_counter()
    score(part)
    return time.perf_counter() - began


def time_pass(
    score: Callable[[int], Any],
    parts: int,
    workers: int | None = None,
) -> float:
    """Return the seconds that a pass over all parts takes; of a quick one, the median of a few.

    Args:
        score: called with each part's number, by several threads.
        parts: how many there are.
        workers: threads; None for one per core.
    """
    seconds: list[float] = []
    with ThreadPoolExecutor(workers or cores()) as threads:
        while not _is_enough(seconds):
            began = time.perf_counter()
            numbers = range(parts)
            results = threads.map(score, numbers)
            # Waits for all of them, and raises what one of them raised.
            list(results)
            passed = time.perf_counter() - began
            seconds.append(passed)
    return median(seconds)


def _is_enough(seconds: Sequence[float]) -> bool:
    total = sum(seconds)
    if total >= SECONDS:
        return True
    return len(seconds) >= _ENOUGH_PASSES and total >= _ENOUGH_SHARE * SECONDS


def _divide_up(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
