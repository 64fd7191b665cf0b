"""A model on a bench: loaded with any settings, timed on a sample, its scores compared."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median
import time
from typing import Any

import numpy as np

from configs.errors import InputError
from model_zoo.arrays import Arrays, count_rows
from model_zoo.engines.machine import cores
from model_zoo.engines.settings import Device, Settings
from model_zoo.evaluation.agreement import Agreement, agreement
from model_zoo.package.package import Package
from model_zoo.scoring.devices import threads_for
from model_zoo.scoring.scored import Scored
from model_zoo.scoring.scorer import load_scorer
from pipelines.tuning.sample import Sample, join_parts

# Long enough that a moment in which the machine is busy does not count.
SECONDS = 1.0
# Of a pass that takes less, so many are enough.
_MOST_PASSES = 5
# What float32 may take for the whole sample.
_SAMPLE_SECONDS = 20.0
# Enough to count labels that differ.
_FEWEST_ROWS = 512
Score = Callable[[Arrays], Arrays]


@dataclass(frozen=True)
class Bench:
    """A model and rows to time it on."""

    package: Package
    device: Device
    sample: Sample
    timeout_seconds: float

    def load(self, settings: Settings, workers: int) -> Score:
        """Load the model.

        Args:
            settings: how it computes.
            workers: how many score at the same time, each with its share of the cores.

        Raises:
            ModelError: it cannot be loaded so.
        """
        threads = threads_for(workers)
        scorer = load_scorer(self.package, self.device, settings, threads, self.timeout_seconds)
        return partial(_score, scorer)

    def choose_parts(self, rows_per_second: float, batch_rows: int) -> Sequence[Arrays]:
        """Return what keeps all cores busy for so long that a difference can be seen.

        Args:
            rows_per_second: how fast the model is, about.
            batch_rows: a part has at least so many rows.
        """
        part_rows = count_rows(self.sample.inputs[0])
        rows_at_once = cores() * max(batch_rows, part_rows)
        # At least once for all: a slow model scores less than a row in that time.
        times = max(1, _divide_up(int(SECONDS * rows_per_second), rows_at_once))
        count = _divide_up(times * rows_at_once, part_rows)
        return join_parts(self.sample.inputs[:count], batch_rows)

    def count_affordable_parts(self, score: Score) -> int:
        """Return how many parts of the sample a slow model scores in some seconds."""
        first = self.sample.inputs[0]
        # The first call is slower than those after it.
        score(first)
        began = time.perf_counter()
        score(first)
        seconds = time.perf_counter() - began
        rows = int(_SAMPLE_SECONDS * cores() * count_rows(first) / seconds)
        return max(cores(), _divide_up(max(_FEWEST_ROWS, rows), count_rows(first)))

    def score_parts(self, score: Score, parts: Sequence[Arrays]) -> tuple[Arrays, float]:
        """Return the scores of all parts together, and the seconds that a pass over them takes.

        Args:
            score: the loaded model.
            parts: arrays (rows, ...) by name.
        """
        outputs: dict[int, Arrays] = {}

        def score_part(number: int) -> None:
            outputs[number] = score(parts[number])

        seconds = time_pass(score_part, len(parts))
        scores = {}
        for name in self.package.card.outputs:
            scores[name] = np.concatenate([outputs[number][name] for number in range(len(parts))])
        return scores, seconds


@dataclass(frozen=True)
class Reference:
    """The scores of float32, eager, which others are compared with.

    Attributes:
        scores: raw outputs (rows, ...) of the sample.
        is_good: bool (rows,), which rows have finite scores; the others are not compared.
        activation, threshold: what makes labels of scores.
    """

    scores: Arrays
    is_good: np.ndarray
    activation: str
    threshold: float

    @property
    def good_rows(self) -> int:
        return int(np.count_nonzero(self.is_good))

    def compare(self, scores: Arrays) -> Agreement:
        """Return how well scores of the sample's first rows agree with these."""
        rows = count_rows(scores)
        is_good = self.is_good[:rows]
        expected = {name: values[:rows][is_good] for name, values in self.scores.items()}
        actual = {name: values[is_good] for name, values in scores.items()}
        return agreement(expected, actual, self.activation, self.threshold)


def make_reference(scores: Arrays, activation: str, threshold: float) -> Reference:
    """Return scores as what others are compared with.

    Args:
        scores: raw outputs (rows, ...) of the whole sample.
        activation, threshold: what makes labels of them.

    Raises:
        InputError: they are finite for no row.
    """
    finite = []
    for values in scores.values():
        numbers = values.reshape(len(values), -1)
        finite.append(np.isfinite(numbers).all(axis=1))
    is_good = np.logical_and.reduce(finite)
    if not is_good.any():
        raise InputError(
            "the model's scores are finite for none of the sample's rows; "
            "name an input that it can score"
        )
    return Reference(scores, is_good, activation, threshold)


def time_pass(score: Callable[[int], Any], parts: int, workers: int | None = None) -> float:
    """Return the seconds that a pass over all parts takes; of a quick one, the median of a few.

    Args:
        score: called with each part's number, by several threads.
        parts: how many there are.
        workers: threads; None for one per core.
    """
    seconds: list[float] = []
    with ThreadPoolExecutor(workers or cores()) as threads:
        while not seconds or (sum(seconds) < SECONDS and len(seconds) < _MOST_PASSES):
            began = time.perf_counter()
            list(threads.map(score, range(parts)))
            seconds.append(time.perf_counter() - began)
    return median(seconds)


def _score(score: Callable[[Arrays], Scored], inputs: Arrays) -> Arrays:
    """Return scores; NaN for rows that the network fails on.

    A job would reject as many of those as it allows.
    """
    scored = score(inputs)
    if not scored.rejected:
        return scored.outputs
    # Integers have no NaN.
    outputs = {name: values.astype(np.float64) for name, values in scored.outputs.items()}
    for values in outputs.values():
        values[list(scored.rejected)] = np.nan
    return outputs


def _divide_up(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
