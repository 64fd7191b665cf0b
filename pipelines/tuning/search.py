"""Settings that may be faster than float32, eager: how fast each is on a sample, and which to keep.

    float32, eager -> every dtype and layout -> mini-batch sizes of the fastest -> that one compiled
        -> the fastest of each kind in turns

A setting whose scores differ by more than the tolerance is measured and shown, and never kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import TypeAlias

import numpy as np
import torch

from configs.errors import Refusal
from configs.tolerance import Tolerance
from model_zoo.arrays import Arrays, count_rows
from model_zoo.engines.machine import cores
from model_zoo.engines.settings import Settings
from model_zoo.engines.table import find_engine
from model_zoo.scoring.devices import resolve_devices
from model_zoo.scoring.length_buckets import cut_to_longest
from pipelines.tuning.bench import ROUNDS, SECONDS, WORTH_IT, Bench, Score, time_call, time_pass
from pipelines.tuning.measured import Measured, find_fastest_of_new_kind, list_kept
from pipelines.tuning.reference import Reference, make_reference, select_rows
from pipelines.tuning.sample import Parts, count_all_rows, join_parts

WITHOUT = ("bfloat16", "float16", "int8", "int8_linear", "channels_last", "compile")

# Of the speed of the fastest; not more, as a first call is slower than those after it.
_HOPELESS = 0.5
_FINALISTS = 3
Tensors: TypeAlias = dict[str, torch.Tensor]
# Rows/s of every finalist, by their order, in one round.
Round: TypeAlias = Sequence[float]


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
        float32 = Settings(batch_rows)
        self._measure_reference(float32)

        engine = find_engine(float32.engine)
        card = self.bench.package.card
        device = resolve_devices(self.bench.device)[0]
        for settings in engine.list_settings(card, device, batch_rows, without):
            self._try_layers(settings)
        if not fixed_rows:
            self._try_sizes(batch_rows)
        fastest = [measured.settings for measured in self._list_kept()]
        for settings in engine.list_refinements(card, fastest, without):
            self._try(settings)

        finalists = [self.measured[0], *self._find_finalists()]
        return self._compare_in_turns(finalists)

    def _measure_reference(self, settings: Settings) -> None:
        score = self.bench.load(settings, cores())
        # Of a slow model no more rows than it scores in some seconds.
        affordable = self.bench.count_affordable_parts(score)
        sample = self.bench.sample
        shorter = replace(sample, inputs=sample.inputs[:affordable])
        self.bench = replace(self.bench, sample=shorter)

        parts = self._join_whole(settings)
        scores, seconds = self.bench.score_parts(score, parts)
        self._reference = make_reference(scores, self.activation, self.threshold)
        rate = count_all_rows(parts) / seconds
        # With itself: this tells how many rows are compared.
        agreement = self._reference.compare(scores)
        self._note(Measured(settings, rate, agreement=agreement))

    def _try_sizes(self, batch_rows: int) -> None:
        """Measure the fastest settings with smaller and larger mini-batches."""
        best = self._list_kept()[0].settings
        for rows in (batch_rows // 4, batch_rows // 2, batch_rows * 2, batch_rows * 4):
            # A quarter of a few rows is none.
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
        within = len(scales) // 2
        beyond = len(scales) + 1
        count = len(scales)
        while count > within:
            self._try(replace(settings, linear_scales=scales[:count]))
            last = self.measured[-1]
            # Given up: fewer layers are no faster.
            if last.agreement is None:
                return
            if last.problem:
                beyond = count
            else:
                within = count
            count = (within + beyond) // 2

    def _calibrate(self, settings: Settings) -> Settings:
        """Return settings with what the engine measures on the sample, once for all layouts."""
        found = self._calibrated.get(settings.dtype)
        if found is None:
            rows = partial(self._make_mini_batches, settings.batch_rows)
            engine = find_engine(settings.engine)
            found = engine.calibrate(self.bench.package, settings, rows)
            self._calibrated[settings.dtype] = found
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

        first = parts[0]
        seconds = time_call(score, first)
        # One call on one core; all of them compute as many.
        rate = cores() * count_rows(first) / seconds
        if seconds > SECONDS and rate < _HOPELESS * fastest.rate:
            return Measured(settings, rate, problem="slow: given up after its first piece")

        measured = self._compare(settings, score, parts)
        if measured.problem or measured.rate <= fastest.rate:
            return measured
        return self._compare(settings, score, self._join_whole(settings))

    def _compare(self, settings: Settings, score: Score, parts: Parts) -> Measured:
        scores, seconds = self.bench.score_parts(score, parts)
        agreement = self.reference.compare(scores)
        problem = "beyond the tolerance"
        if agreement.is_within(self.tolerance):
            problem = ""
        rate = count_all_rows(parts) / seconds
        return Measured(settings, rate, agreement=agreement, problem=problem)

    def _join_whole(self, settings: Settings) -> Parts:
        return join_parts(self.bench.sample.inputs, settings.batch_rows)

    def _list_kept(self) -> list[Measured]:
        """Return what may be kept so far, the fastest first; float32, eager, is always among it."""
        return list_kept(self.measured)

    def _find_finalists(self) -> list[Measured]:
        """Return the fastest of each kind that stay within the tolerance on the whole sample.

        One of each kind, because a busy moment may have slowed the fastest kind when its turn came.
        """
        found: list[Measured] = []
        while len(found) < _FINALISTS:
            fastest = find_fastest_of_new_kind(self._list_kept(), found)
            if fastest is None:
                break
            # Some have scored but a few parts. On the whole sample they may be slower than others,
            # or beyond the tolerance, so the fastest is looked for again.
            if fastest.agreement and fastest.agreement.rows < self.reference.good_rows:
                self._measure_whole(fastest)
            else:
                found.append(fastest)
        float32 = self.measured[0]
        return [measured for measured in found if measured is not float32]

    def _measure_whole(self, measured: Measured) -> None:
        settings = measured.settings
        score = self.bench.load(settings, cores())
        whole = self._compare(settings, score, self._join_whole(settings))
        place = self.measured.index(measured)
        self.measured[place] = whole
        self.tell(whole)

    def _compare_in_turns(self, finalists: Sequence[Measured]) -> Measured:
        """Return the first of these, float32, eager, or the one that beats it most.

        They take turns: a busy minute then slows all.
        """
        fastest = max(measured.rate for measured in finalists)
        scorers: list[Score] = []
        parts: list[Parts] = []
        for measured in finalists:
            settings = measured.settings
            scorers.append(self.bench.load(settings, cores()))
            parts.append(self.bench.choose_parts(fastest, settings.batch_rows))

        rounds: list[Round] = []
        for _ in range(ROUNDS):
            turns = zip(scorers, parts, strict=True)
            rates = [_measure_rate(score, its_parts) for score, its_parts in turns]
            rounds.append(rates)

        gains = [_find_gain(rounds, number) for number in range(len(finalists))]
        winner = int(np.argmax(gains))
        if gains[winner] < WORTH_IT:
            winner = 0
        rate = median(rates[winner] for rates in rounds)
        return replace(finalists[winner], rows_per_second=rate, speed_up=gains[winner])

    def _make_mini_batches(self, rows: int, most: int) -> Iterator[Tensors]:
        """Yield the first rows that float32 scores, at most `most`, in mini-batches of `rows`.

        Texts come without the padding that no text of their mini-batch needs.
        """
        left = most
        first = 0
        for part in self.bench.sample.inputs:
            stop = first + count_rows(part)
            good = select_rows(part, self.reference.is_good[first:stop])
            first = stop
            for start in range(0, count_rows(good), rows):
                if left <= 0:
                    return
                stop = start + min(rows, left)
                batch = {name: values[start:stop] for name, values in good.items()}
                left -= count_rows(batch)
                cut = cut_to_longest(self.bench.package.card, batch)
                yield _to_tensors(cut)


def _measure_rate(score: Score, parts: Parts) -> float:
    """Return the rows that all cores score in a second."""

    def score_part(number: int) -> Arrays:
        return score(parts[number])

    seconds = time_pass(score_part, len(parts))
    return count_all_rows(parts) / seconds


def _find_gain(rounds: Sequence[Round], number: int) -> float:
    """Return how many times as fast as the first one another is, in most rounds."""
    return median(rates[number] / rates[0] for rates in rounds)


def _to_tensors(batch: Arrays) -> Tensors:
    tensors: Tensors = {}
    for name, array in batch.items():
        # torch refuses strides that go backwards, and is slow at others.
        contiguous = np.ascontiguousarray(array)
        tensors[name] = torch.from_numpy(contiguous)
    return tensors
