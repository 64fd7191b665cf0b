"""Settings that may be faster than float32, eager: how fast each is on a sample, and which to keep.

    float32, eager -> every dtype and layout -> mini-batch sizes of the fastest -> that one compiled
        -> workers x threads

A setting whose scores differ by more than the tolerance is measured and shown, and never kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
import time

import numpy as np
import torch

from configs.errors import Refusal
from configs.tolerance import Tolerance
from model_zoo.arrays import Arrays, count_rows
from model_zoo.engines.machine import cores
from model_zoo.engines.settings import Settings
from model_zoo.engines.table import find_engine
from model_zoo.evaluation.agreement import Agreement
from model_zoo.scoring.devices import resolve_devices
from model_zoo.scoring.length_buckets import cut_to_longest
from pipelines.tuning.bench import (
    SECONDS,
    Bench,
    Reference,
    Score,
    make_reference,
    time_pass,
)
from pipelines.tuning.sample import join_parts

WITHOUT = ("bfloat16", "float16", "int8", "int8_linear", "channels_last", "compile")

# Of the speed of the fastest; not more, as a first call is slower than those after it.
_HOPELESS = 0.5
# Turns that finalists take: so many that a busy moment is not the median.
_ROUNDS = 5
_FINALISTS = 3
# A gain that is smaller is not worth scores that differ.
_WORTH_IT = 1.03


@dataclass(frozen=True)
class Measured:
    """One setting, and what came of it.

    Attributes:
        rows_per_second: of the network alone, on all cores; None when it could not be loaded.
        speed_up: over float32, eager, both measured in turns; None where that was not done.
        agreement: with float32, eager; None when it was given up.
        problem: why it was given up, or cannot be kept.
    """

    settings: Settings
    rows_per_second: float | None = None
    speed_up: float | None = None
    agreement: Agreement | None = None
    problem: str = ""

    @property
    def rate(self) -> float:
        """Return rows per second; 0 when it could not be loaded."""
        return self.rows_per_second or 0.0


@dataclass
class Tuning:
    """Measures settings of one model on one sample, and remembers all that it measured.

    Attributes:
        bench: the model and the sample.
        tolerance: how far scores may differ.
        activation, threshold: what makes labels of scores.
        tell: called with each result as it comes.
        measured: all results, float32, eager, first.
    """

    bench: Bench
    tolerance: Tolerance
    activation: str
    threshold: float
    tell: Callable[[Measured], None]
    measured: list[Measured] = field(default_factory=list, init=False)
    _reference: Reference | None = field(default=None, init=False)
    # By dtype: what an engine has measured on the sample, the same for all layouts.
    _calibrated: dict[str, Settings] = field(default_factory=dict, init=False)

    @property
    def reference(self) -> Reference:
        """Return the scores of float32, eager."""
        assert self._reference is not None  # noqa: S101 - `search` measures it first
        return self._reference

    def search(self, batch_rows: int, fixed_rows: bool, without: Sequence[str]) -> Measured:
        """Measure one setting after the other, and return the fastest within the tolerance.

        Args:
            batch_rows: rows of a mini-batch to begin with.
            fixed_rows: whether the job says so many, and other sizes are not tried.
            without: words of settings to leave out.

        Raises:
            ModelError: the model does not even compute in float32.
        """
        self._measure_reference(Settings(batch_rows))
        engine, card = find_engine(Settings(batch_rows).engine), self.bench.package.card
        device = resolve_devices(self.bench.device)[0]
        for settings in engine.list_settings(card, device, batch_rows, without):
            self._try_layers(settings)
        if not fixed_rows:
            self._try_sizes(batch_rows)
        fastest = [measured.settings for measured in self._list_kept()]
        for settings in engine.list_refinements(card, fastest, without):
            self._try(settings)
        return self._compare_in_turns([self.measured[0], *self._find_finalists()])

    def choose_workers(
        self, settings: Settings, rows_per_second: float
    ) -> tuple[int, dict[int, float]]:
        """Find out how many workers are fastest with preprocessing: one per core, or one for all.

        Args:
            settings: how the network computes.
            rows_per_second: of the network alone.

        Returns:
            The number, and rows/s by number of workers; none for a sample that is too small to
                tell.
        """
        most = cores()
        needed_rows = 2 * most * settings.batch_rows
        if most == 1 or self.bench.sample.rows < needed_rows:
            return most, {}
        scorers = {workers: self.bench.load(settings, workers) for workers in (most, 1)}
        parts = self.bench.choose_parts(rows_per_second, batch_rows=1)
        prepare = self.bench.sample.prepare
        seconds: dict[int, list[float]] = {workers: [] for workers in scorers}
        # In turns, so that a busy minute slows both.
        for _ in range(_ROUNDS):
            for workers, score in scorers.items():
                score_part = partial(_prepare_and_score, prepare, score)
                seconds[workers].append(time_pass(score_part, len(parts), workers))
        gains = [many / one for many, one in zip(seconds[most], seconds[1], strict=True)]
        best = 1 if median(gains) > _WORTH_IT else most
        rows = _count_all(parts)
        return best, {workers: rows / median(took) for workers, took in seconds.items()}

    def _measure_reference(self, settings: Settings) -> None:
        score = self.bench.load(settings, cores())
        # Of a slow model no more rows than it scores in some seconds.
        affordable = self.bench.count_affordable_parts(score)
        sample = self.bench.sample
        self.bench = replace(self.bench, sample=replace(sample, inputs=sample.inputs[:affordable]))
        parts = self._join_whole(settings)
        scores, seconds = self.bench.score_parts(score, parts)
        self._reference = make_reference(scores, self.activation, self.threshold)
        rate = _count_all(parts) / seconds
        self._note(Measured(settings, rate, agreement=self._reference.compare(scores)))

    def _try_sizes(self, batch_rows: int) -> None:
        """Measure the fastest settings with smaller and larger mini-batches."""
        best = self._list_kept()[0].settings
        for rows in (batch_rows // 4, batch_rows // 2, batch_rows * 2, batch_rows * 4):
            if rows:
                self._try(replace(best, batch_rows=rows))

    def _try_layers(self, settings: Settings) -> None:
        """Measure settings; of int8 layers, try as many as the tolerance allows.

        The least sensitive layers come first, and there are more than half of them, as fewer gain
        little.
        """
        try:
            settings = self._calibrate(settings)
        except Refusal as error:
            self._note(Measured(settings, problem=str(error)))
            return
        scales = settings.linear_scales
        if not scales:
            self._try(settings)
            return
        # Halving: so many layers are within the tolerance, so many beyond it.
        within, beyond, count = len(scales) // 2, len(scales) + 1, len(scales)
        while count > within:
            self._try(replace(settings, linear_scales=scales[:count]))
            last = self.measured[-1]
            # Given up: fewer layers are no faster.
            if last.agreement is None:
                return
            within, beyond = (within, count) if last.problem else (count, beyond)
            count = (within + beyond) // 2

    def _calibrate(self, settings: Settings) -> Settings:
        """Return settings with what the engine measures on the sample, once for all layouts."""
        if settings.dtype not in self._calibrated:
            rows = partial(self._make_mini_batches, settings.batch_rows)
            engine = find_engine(settings.engine)
            found = engine.calibrate(self.bench.package, settings, rows)
            self._calibrated[settings.dtype] = found
        found = self._calibrated[settings.dtype]
        return replace(settings, scales=found.scales, linear_scales=found.linear_scales)

    def _try(self, settings: Settings) -> None:
        """Measure settings, and note why where they do not go with this model or machine."""
        try:
            measured = self._measure(settings)
        except Refusal as error:
            measured = Measured(settings, problem=str(error))
        self._note(measured)

    def _note(self, measured: Measured) -> None:
        self.measured.append(measured)
        self.tell(measured)

    def _measure(self, settings: Settings) -> Measured:
        """Measure on some parts; on the whole sample too if that makes it the fastest."""
        score = self.bench.load(settings, cores())
        parts = self.bench.choose_parts(self.measured[0].rate, settings.batch_rows)
        fastest = self._list_kept()[0]
        began = time.perf_counter()
        score(parts[0])
        seconds = time.perf_counter() - began
        # One call on one core; all of them compute as many.
        rate = cores() * count_rows(parts[0]) / seconds
        if seconds > SECONDS and rate < _HOPELESS * fastest.rate:
            return Measured(settings, rate, problem="slow: given up after its first piece")
        measured = self._compare(settings, score, parts)
        if measured.problem or measured.rate <= fastest.rate:
            return measured
        return self._compare(settings, score, self._join_whole(settings))

    def _compare(self, settings: Settings, score: Score, parts: Sequence[Arrays]) -> Measured:
        scores, seconds = self.bench.score_parts(score, parts)
        found = self.reference.compare(scores)
        problem = "" if found.is_within(self.tolerance) else "beyond the tolerance"
        return Measured(settings, _count_all(parts) / seconds, agreement=found, problem=problem)

    def _join_whole(self, settings: Settings) -> Sequence[Arrays]:
        return join_parts(self.bench.sample.inputs, settings.batch_rows)

    def _list_kept(self) -> list[Measured]:
        """Return what may be kept so far, the fastest first; float32, eager, is always among it."""
        kept = [measured for measured in self.measured if not measured.problem]
        return sorted(kept, key=lambda measured: measured.rate, reverse=True)

    def _find_finalists(self) -> list[Measured]:
        """Return the fastest of each kind that stay within the tolerance on the whole sample.

        One of each kind, because a busy moment may have slowed the fastest kind when its turn came.
        """
        found: list[Measured] = []
        while len(found) < _FINALISTS:
            others = [measured for measured in self._list_kept() if _is_new_kind(measured, found)]
            if not others:
                break
            fastest = others[0]
            # Some have scored but a few parts.
            if fastest.agreement and fastest.agreement.rows < self.reference.good_rows:
                self._measure_whole(fastest)
            else:
                found.append(fastest)
        return [measured for measured in found if measured is not self.measured[0]]

    def _measure_whole(self, measured: Measured) -> None:
        settings = measured.settings
        score = self.bench.load(settings, cores())
        whole = self._compare(settings, score, self._join_whole(settings))
        self.measured[self.measured.index(measured)] = whole
        self.tell(whole)

    def _compare_in_turns(self, finalists: Sequence[Measured]) -> Measured:
        """Return the first of these, float32, eager, or the one that beats it most.

        They take turns: a busy minute then slows all.
        """
        fastest = max(measured.rate for measured in finalists)
        scorers = [self.bench.load(measured.settings, cores()) for measured in finalists]
        parts = [
            self.bench.choose_parts(fastest, measured.settings.batch_rows) for measured in finalists
        ]
        rounds = []
        for _ in range(_ROUNDS):
            turn = zip(scorers, parts, strict=True)
            rounds.append([_measure_rate(score, its_parts) for score, its_parts in turn])
        gains = [_find_gain(rounds, number) for number in range(len(finalists))]
        winner = int(np.argmax(gains))
        if gains[winner] < _WORTH_IT:
            winner = 0
        rate = median(rates[winner] for rates in rounds)
        return replace(finalists[winner], rows_per_second=rate, speed_up=gains[winner])

    def _make_mini_batches(self, rows: int, most: int) -> Iterator[dict[str, torch.Tensor]]:
        """Yield the first rows that float32 scores, at most `most`, in mini-batches of `rows`.

        Texts come without the padding that no text of their mini-batch needs.
        """
        rows = min(rows, most)
        left, first = most, 0
        for part in self.bench.sample.inputs:
            is_good = self.reference.is_good[first : first + count_rows(part)]
            first += len(is_good)
            good = {name: values[is_good] for name, values in part.items()}
            for start in range(0, count_rows(good), rows):
                if left <= 0:
                    return
                batch = {name: values[start : start + rows] for name, values in good.items()}
                yield _to_tensors(cut_to_longest(self.bench.package.card, batch))
                left -= rows


def _prepare_and_score(prepare: Callable[[int], Arrays], score: Score, number: int) -> Arrays:
    return score(prepare(number))


def _measure_rate(score: Score, parts: Sequence[Arrays]) -> float:
    """Return the rows that all cores score in a second."""
    seconds = time_pass(lambda number: score(parts[number]), len(parts))
    return _count_all(parts) / seconds


def _find_gain(rounds: Sequence[Sequence[float]], number: int) -> float:
    """Return how many times as fast as the first one another is, in most rounds."""
    return median(rates[number] / rates[0] for rates in rounds)


def _count_all(parts: Sequence[Arrays]) -> int:
    return sum(count_rows(part) for part in parts)


def _to_tensors(batch: Arrays) -> dict[str, torch.Tensor]:
    # torch refuses strides that go backwards, and is slow at others.
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in batch.items()}


def _is_new_kind(measured: Measured, found: Sequence[Measured]) -> bool:
    """Tell whether none of these is of the same kind.

    Sizes of mini-batches, and how many layers are in int8, make no other kind.
    """
    kinds = [_find_kind(other) for other in found]
    return _find_kind(measured) not in kinds


def _find_kind(measured: Measured) -> tuple[str, str, bool]:
    settings = measured.settings
    return settings.dtype, settings.layout, settings.compiled
