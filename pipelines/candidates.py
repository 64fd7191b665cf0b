"""Settings that may be faster than float32, eager: which there are, how fast each is on a sample, and which to keep.

    float32, eager -> every dtype and layout -> mini-batch sizes of the fastest -> that one compiled -> workers x threads

A setting whose scores differ by more than the tolerance is measured and shown, and never kept.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
import time
from typing import Any

import numpy as np
import torch

from configs.errors import InputError, Refusal
from model_zoo.agreement import Agreement, Tolerance, agreement
from model_zoo.length_sorted import cut_to_longest
from model_zoo.machine import cores
from model_zoo.mini_batches import FailedRows
from model_zoo.package import Package
from model_zoo.quantised import measured_scales
from model_zoo.quantised_linear import measured_linear_scales
from model_zoo.scorer import load_scorer, resolve_devices, threads_for
from model_zoo.settings import Device, DType, Layout, LinearScale, Scale, Settings
from model_zoo.weights import load_network
from pipelines.tuning_sample import Sample, joined, rows_of
from transforms.batches import Arrays

WITHOUT = ("bfloat16", "float16", "int8", "int8_linear", "channels_last", "compile")

_SECONDS = 1.0
_SAMPLE_SECONDS = 20.0
_FEWEST_ROWS = 512
_MOST_PASSES = 5
_HOPELESS = 0.5  # of the fastest; a first call is slower than those after it
_ROUNDS = 5
_FINALISTS = 3
_WORTH_IT = 1.03
_CALIBRATION_ROWS = 256
_LINEAR_CALIBRATION_ROWS = 1024  # few rows of text have the largest features
_DTYPES: dict[str, tuple[DType, ...]] = {
    "cpu": ("float32", "bfloat16", "int8", "int8_linear"),
    "cuda": ("float32", "bfloat16", "float16"),
}


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


@dataclass
class Tuning:
    """Measures settings of one model on one sample, and remembers all that it measured.

    Attributes:
        activation, threshold: what makes labels of scores.
        tell: called with each result as it comes.
    """

    package: Package
    device: Device
    sample: Sample
    tolerance: Tolerance
    activation: str
    threshold: float
    timeout_seconds: float
    tell: Callable[[Measured], None]

    def __post_init__(self) -> None:
        self.measured: list[Measured] = []
        self._scores: Arrays = {}  # of the reference
        self._good = np.empty(0, bool)  # rows that it scores
        self._scales: tuple[Scale, ...] = ()
        self._linear_scales: tuple[LinearScale, ...] = ()

    def search(self, batch_rows: int, fixed_rows: bool, without: Sequence[str]) -> Measured:
        """Measure one setting after the other, and return the fastest within the tolerance.

        Raises:
            ModelError: the model does not even compute in float32.
        """
        self._shorten(Settings(batch_rows))
        self._reference = self._measured(Settings(batch_rows))
        self._note(self._reference)
        for dtype, layout in self._dtypes_and_layouts(without):
            measure = self._measure_linear_layers if dtype == "int8_linear" else self._measure
            measure(Settings(batch_rows, dtype, layout))
        best = self._fastest(1)[0].settings
        for rows in () if fixed_rows else (batch_rows // 4, batch_rows // 2, batch_rows * 2, batch_rows * 4):
            if rows:
                self._measure(replace(best, batch_rows=rows))
        floating = next(m.settings for m in self._fastest(len(self.measured)) if not m.settings.dtype.startswith("int8"))
        if "compile" not in without and self.package.card.mask is None:
            self._measure(replace(floating, compiled=True))
        return self._side_by_side([self._reference, *self._finalists()])

    def _shorten(self, reference: Settings) -> None:
        """Of a slow model take no more rows than float32, eager, scores in some seconds, but enough to count labels that differ."""
        scorer, first = self._load(reference, cores()), self.sample.inputs[0]
        scorer(first)
        began = time.perf_counter()
        scorer(first)
        affordable = max(_FEWEST_ROWS, int(_SAMPLE_SECONDS * cores() * rows_of(first) / (time.perf_counter() - began)))
        pieces = max(cores(), -(-affordable // rows_of(first)))
        self.sample = replace(self.sample, inputs=self.sample.inputs[:pieces])

    def workers(self, settings: Settings, rows_per_second: float) -> tuple[int, dict[int, float]]:
        """How many workers, each with its share of the cores as threads, are fastest with preprocessing; one per core unless one wins.

        Returns:
            The number, and rows/s by number of workers; none for a sample that is too small to tell.
        """
        most = cores()
        if most == 1 or self.sample.rows < 2 * most * settings.batch_rows:
            return most, {}
        scorers = {n: self._load(settings, n) for n in (most, 1)}
        pieces = self._some_pieces(rows_per_second, 1)

        def seconds(workers: int) -> float:
            return self._pass(lambda i: scorers[workers](self.sample.prepare(i)), pieces, workers)

        rounds = [{n: seconds(n) for n in scorers} for _ in range(_ROUNDS)]
        best = 1 if median(r[most] / r[1] for r in rounds) > _WORTH_IT else most
        rows = sum(map(rows_of, pieces))
        return best, {n: rows / median(r[n] for r in rounds) for n in scorers}

    def _some_pieces(self, rows_per_second: float, batch_rows: int) -> Sequence[Arrays]:
        """What keeps all cores busy for a while, in which a difference can be seen, in pieces of at least a mini-batch."""
        at_once = cores() * max(batch_rows, rows_of(self.sample.inputs[0]))
        rows = at_once * max(1, -(-int(_SECONDS * rows_per_second) // at_once))  # a slow model scores less than a row in that time
        return joined(self.sample.inputs[: -(-rows // rows_of(self.sample.inputs[0]))], batch_rows)

    def _fastest(self, count: int) -> list[Measured]:
        """The fastest so far that may be kept, the fastest first; float32, eager, is among all of them."""
        kept = [m for m in self.measured if not m.problem]
        return sorted(kept, key=_rate, reverse=True)[:count]

    def _finalists(self) -> list[Measured]:
        """The fastest of each kind that stay within the tolerance on the whole sample, of which some have scored but a few pieces.

        One of each kind, because a busy moment may have slowed the fastest kind when its turn came.
        """
        found: list[Measured] = []
        while len(found) < _FINALISTS and (others := [m for m in self._fastest(len(self.measured)) if _is_new_kind(m, found)]):
            fastest = others[0]
            if fastest.agreement and fastest.agreement.rows < np.count_nonzero(self._good):
                scorer, pieces = self._load(fastest.settings, cores()), joined(self.sample.inputs, fastest.settings.batch_rows)
                whole = self._compared(fastest.settings, scorer, pieces)
                self.measured[self.measured.index(fastest)] = whole
                self.tell(whole)
            else:
                found.append(fastest)
        return [m for m in found if m is not self._reference]

    def _side_by_side(self, finalists: Sequence[Measured]) -> Measured:
        """The first of these, float32, eager, or the one that beats it most when they take turns: a busy minute then slows all."""
        rate = max(map(_rate, finalists))
        scoring = [(self._load(m.settings, cores()), self._some_pieces(rate, m.settings.batch_rows)) for m in finalists]
        rounds = [[sum(map(rows_of, p)) / self._pass(lambda i, s=s, p=p: s(p[i]), p) for s, p in scoring] for _ in range(_ROUNDS)]  # type: ignore[misc]
        gains = [median(rates[n] / rates[0] for rates in rounds) for n in range(len(finalists))]
        winner = max(range(len(finalists)), key=lambda n: gains[n])
        if gains[winner] < _WORTH_IT:
            winner = 0
        return replace(finalists[winner], rows_per_second=median(rates[winner] for rates in rounds), speed_up=gains[winner])

    def _dtypes_and_layouts(self, without: Sequence[str]) -> Iterator[tuple[DType, Layout]]:
        images = any(len(tensor.shape) == 3 for tensor in self.package.card.inputs.values())
        layouts: tuple[Layout, ...] = (
            ("contiguous", "channels_last") if images and "channels_last" not in without else ("contiguous",)
        )
        for dtype in _DTYPES[resolve_devices(self.device)[0].type]:
            for layout in layouts:
                if dtype not in without and (dtype, layout) != ("float32", "contiguous"):
                    yield dtype, layout

    def _measure(self, settings: Settings) -> None:
        try:
            measured = self._measured(settings)
        except Refusal as error:
            measured = Measured(settings, problem=str(error))
        self._note(measured)

    def _measure_linear_layers(self, settings: Settings) -> None:
        """int8_linear of as many layers as the tolerance allows, the least sensitive first, but more than half, as fewer gain little."""
        try:
            if not self._linear_scales:  # those of the float32 network, whatever the layout
                batches = self._mini_batches(settings.batch_rows, _LINEAR_CALIBRATION_ROWS)
                self._linear_scales = measured_linear_scales(load_network(self.package).eval(), batches)
        except Refusal as error:
            self._note(Measured(settings, problem=str(error)))
            return
        scales = self._linear_scales
        within, beyond, count = len(scales) // 2, len(scales) + 1, len(scales)
        while count > within:
            self._measure(replace(settings, linear_scales=scales[:count]))
            if self.measured[-1].agreement is None:  # given up
                return
            within, beyond = (within, count) if self.measured[-1].problem else (count, beyond)
            count = (within + beyond) // 2

    def _note(self, measured: Measured) -> None:
        self.measured.append(measured)
        self.tell(measured)

    def _measured(self, settings: Settings) -> Measured:
        """On a few pieces; on the whole sample too if that makes it the fastest."""
        if settings.dtype == "int8":
            settings = replace(settings, scales=self._measured_scales(settings.batch_rows))
        scorer = self._load(settings, cores())
        whole = joined(self.sample.inputs, settings.batch_rows)
        few = self._some_pieces(_rate(self.measured[0]), settings.batch_rows) if self.measured else whole
        began = time.perf_counter()
        scorer(few[0])
        seconds = time.perf_counter() - began
        if seconds > _SECONDS and self.measured and _HOPELESS * seconds * _rate(self._fastest(1)[0]) > cores() * rows_of(few[0]):
            return Measured(settings, cores() * rows_of(few[0]) / seconds, problem="slow: given up after its first piece")
        measured = self._compared(settings, scorer, few) if self.measured else None
        if measured is None or (not measured.problem and _rate(measured) > _rate(self._fastest(1)[0])):
            return self._compared(settings, scorer, whole)
        return measured

    def _compared(self, settings: Settings, scorer: Any, pieces: Sequence[Arrays]) -> Measured:
        outputs: dict[int, Arrays] = {}
        seconds = self._pass(lambda i: outputs.__setitem__(i, scorer(pieces[i])), pieces)
        together = {name: np.concatenate([outputs[i][name] for i in range(len(pieces))]) for name in self.package.card.outputs}
        is_reference = not self.measured
        if is_reference:
            self._scores, self._good = together, _finite(together)
            if not self._good.any():
                raise InputError("the model's scores are finite for none of the sample's rows; name an input that it can score")
        rows = sum(map(rows_of, pieces))
        good = self._good[:rows]
        expected, actual = ({n: a[:rows][good] for n, a in scores.items()} for scores in (self._scores, together))
        found = agreement(expected, actual, self.activation, self.threshold)
        problem = "" if is_reference or found.is_within(self.tolerance) else "beyond the tolerance"
        return Measured(settings, rows / seconds, agreement=found, problem=problem)

    def _load(self, settings: Settings, workers: int) -> Any:
        return partial(_scored, load_scorer(self.package, self.device, settings, threads_for(workers), self.timeout_seconds))

    def _pass(self, score: Callable[[int], Any], pieces: Sequence[Arrays], workers: int | None = None) -> float:
        """Seconds that `workers` threads, or one per core, take for these pieces; of a quick pass, the median of a few."""
        seconds: list[float] = []
        with ThreadPoolExecutor(workers or cores()) as threads:
            while not seconds or (sum(seconds) < _SECONDS and len(seconds) < _MOST_PASSES):
                began = time.perf_counter()
                list(threads.map(score, range(len(pieces))))
                seconds.append(time.perf_counter() - began)
        return median(seconds)

    def _measured_scales(self, batch_rows: int) -> tuple[Scale, ...]:
        """Scales of int8 from the first rows of the sample; measured once, since they are those of the float32 network."""
        if not self._scales:
            network = load_network(self.package).eval()
            self._scales = measured_scales(network, self._mini_batches(batch_rows, _CALIBRATION_ROWS))
        return self._scales

    def _mini_batches(self, rows: int, most: int) -> Iterator[dict[str, torch.Tensor]]:
        """The first rows that float32 scores, at most so many; texts without the padding that none of their mini-batch needs."""
        left, rows, first = most, min(rows, most), 0
        for all_rows in self.sample.inputs:
            good = self._good[first : first + rows_of(all_rows)]
            piece, first = {name: a[good] for name, a in all_rows.items()}, first + len(good)
            for start in range(0, rows_of(piece), rows):
                if left > 0:
                    batch = cut_to_longest(self.package.card, {name: a[start : start + rows] for name, a in piece.items()})
                    yield {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in batch.items()}
                left -= rows


def _scored(score: Callable[[Arrays], Arrays], inputs: Arrays) -> Arrays:
    """Scores; NaN for rows that the network fails on, of which a job would reject as many as it allows."""
    try:
        return score(inputs)
    except FailedRows as failed:
        outputs = {name: values.astype(np.float64) for name, values in failed.outputs.items()}
        for values in outputs.values():
            values[list(failed.reasons)] = np.nan
        return outputs


def _finite(scores: Arrays) -> np.ndarray:
    """Which rows have finite scores only, bool (rows,)."""
    finite = [np.isfinite(values).reshape(len(values), -1).all(axis=1) for values in scores.values()]
    result: np.ndarray = np.logical_and.reduce(finite)
    return result


def _is_new_kind(measured: Measured, found: Sequence[Measured]) -> bool:
    """Whether none of these is the same but for the size of its mini-batches, and how many of its layers are in int8."""
    s = measured.settings
    return all((s.dtype, s.layout, s.compiled) != (m.settings.dtype, m.settings.layout, m.settings.compiled) for m in found)


def _rate(measured: Measured) -> float:
    return measured.rows_per_second or 0.0
