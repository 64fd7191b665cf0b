"""A bench on which models take as long as a test says, by a clock that nothing else moves."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from configs.errors import ModelError
from model_zoo.arrays import Arrays, count_rows
from model_zoo.engines.settings import Settings
from pipelines.tuning import bench, trials, turns, workers
from pipelines.tuning.bench import Bench, Score
from pipelines.tuning.sample import Prepare, Sample


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class Model:
    """What settings make of the model: rows/s of one core, what they add to scores, why they cannot be loaded, how long that takes."""

    rows_per_second: float
    error: float = 0.0
    refusal: str = ""
    load_seconds: float = 0.0


@dataclass(frozen=True)
class Loader:
    """Loads what `models` says for settings, and notes what was loaded and how many rows each call got."""

    models: Callable[[Settings], Model]
    clock: Clock = field(default_factory=Clock)
    loaded: list[tuple[Settings, int]] = field(default_factory=list)
    calls: list[tuple[Settings, int]] = field(default_factory=list)

    def __call__(self, settings: Settings, workers: int) -> Score:
        model = self.models(settings)
        if model.refusal:
            raise ModelError(model.refusal)
        self.loaded.append((settings, workers))
        self.clock.now += model.load_seconds

        def score(inputs: Arrays) -> Arrays:
            rows = count_rows(inputs)
            self.calls.append((settings, rows))
            self.clock.now += rows / model.rows_per_second
            return {"score": inputs["x"] + np.float32(model.error)}

        return score


class Engine:
    """An engine that says which settings are worth trying, and counts calibrations."""

    name = "torch"

    def __init__(self, tried: Sequence[Settings], refined: Sequence[Settings] = ()) -> None:
        self._tried, self._refined = tried, refined
        self.refined_from: list[Settings] = []
        self.calibrated: list[Settings] = []
        self.batches: list[int] = []
        self.scales: dict[str, Any] = {}

    def list_settings(self, *_: object) -> Iterator[Settings]:
        return iter(self._tried)

    def list_refinements(self, card: object, fastest: list[Settings], without: object) -> Iterator[Settings]:  # fmt: skip
        self.refined_from = fastest
        return iter(self._refined)

    def calibrate(self, package: object, settings: Settings, rows: Any) -> Settings:
        self.calibrated.append(settings)
        if settings.dtype == "int8":
            self.batches = [len(batch["x"]) for batch in rows(25)]
        scales = self.scales.get(settings.dtype, ())
        if isinstance(scales, str):
            raise ModelError(scales)
        return replace(settings, scales=scales)


def make_bench(loader: Loader, parts: Sequence[int]) -> Bench:
    """Return a bench with a sample of parts of so many rows; the model has one input `x` and one output `score`."""
    inputs = tuple({"x": np.linspace(-4, 4, rows, dtype=np.float32)} for rows in parts)
    card: Any = SimpleNamespace(outputs={"score": None}, mask=None, has_network=True)
    package: Any = SimpleNamespace(card=card)
    sample = Sample(inputs, tuple(parts), prepare=take_rows(inputs))
    return Bench(package, "cpu", sample, loader)


def take_rows(inputs: Sequence[Arrays]) -> Prepare:
    """Return what prepares rows of batches that need no preprocessing."""
    return lambda rows: {"x": inputs[rows.batch]["x"][rows.start : rows.start + rows.length]}


def use_clock(patch: pytest.MonkeyPatch, clock: Clock, cores: int = 1) -> None:
    """Let tuning look at this clock alone, and see so many cores."""
    patch.setattr(bench, "time", clock)
    for module in (bench, trials, turns, workers):
        patch.setattr(module, "cores", lambda: cores)
