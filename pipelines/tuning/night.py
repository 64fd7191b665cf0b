"""What settings cost and save in a whole run: a model is loaded each time, and its rows are scored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
import time

from model_zoo.engines.compiled import find_compile_seconds
from model_zoo.engines.settings import Settings
from pipelines.tuning.bench import Load, Score
from pipelines.tuning.measured import Measured

# What loads longer is not loaded twice only to see what starting its library takes.
_LONG_SECONDS = 5.0
# No compiler was seen to take less, of the smallest network.
_LEAST_COMPILE_SECONDS = 5.0


@dataclass
class LoadTimes:
    """Loads models, and remembers how long that takes in a process of its own.

    Attributes:
        load: loads a model.
        clock: tells the time in seconds.
        find_compile_seconds: tells how long the settings took to compile that were loaded last.
    """

    load: Load
    clock: Callable[[], float] = time.perf_counter
    find_compile_seconds: Callable[[], float] = find_compile_seconds
    # By engine: to start its library, which a process does once, and each run has a process of its own.
    _start_seconds: dict[str, float] = field(default_factory=dict, init=False)
    _seconds: dict[Settings, float] = field(default_factory=dict, init=False)

    def __call__(self, settings: Settings, workers: int) -> Score:
        """Load a model.

        Args:
            settings: how it computes.
            workers: how many share the cores.
        """
        score, seconds = self._time(settings, workers)
        if settings.engine not in self._start_seconds:
            self._start_seconds[settings.engine] = 0.0
            if seconds < _LONG_SECONDS:
                score, again = self._time(settings, workers)
                self._start_seconds[settings.engine] = max(0.0, seconds - again)
                seconds = again
        if settings.compiled:
            # Machine code of an earlier run is there at once.
            seconds = max(seconds, self.find_compile_seconds())
        self._seconds.setdefault(settings, seconds)
        return score

    def find_seconds(self, settings: Settings) -> float:
        """Return how long a run waits for a model; 0 where it was never loaded."""
        start = self._start_seconds.get(settings.engine, 0.0)
        return start + self._seconds.get(settings, 0.0)

    def _time(self, settings: Settings, workers: int) -> tuple[Score, float]:
        began = self.clock()
        score = self.load(settings, workers)
        return score, self.clock() - began


@dataclass(frozen=True)
class Night:
    """The rows of a run, and how long each model takes to load.

    Attributes:
        rows: None where nobody knows.
    """

    rows: int | None
    loads: LoadTimes

    def weigh(self, measured: Measured, kept: Sequence[Measured]) -> Measured:
        """Give up settings that take longer to load than they save on the rows of a run.

        Args:
            measured: settings that may be kept.
            kept: others that may, too.
        """
        rows = self.rows
        # Where only reading tells how many rows there are, nobody knows what is saved.
        if measured.problem or rows is None or not measured.rate:
            return measured
        own_load = self.loads.find_seconds(measured.settings)
        others = []
        for other in kept:
            is_quicker = self.loads.find_seconds(other.settings) < own_load
            if is_quicker and other.rate:
                others.append(other)
        if not others:
            return measured
        best = min(others, key=self._find_whole_seconds)
        extra = own_load - self.loads.find_seconds(best.settings)
        saved = rows / best.rate - rows / measured.rate
        if saved > extra:
            return measured
        if saved <= 0 and not measured.settings.compiled:
            # Slower, which the table shows: there is nothing to weigh.
            return measured
        problem = _describe_waste(measured, best, extra, rows)
        return replace(measured, problem=problem)

    def refuse_compiling(self, rate: float) -> str:
        """Return why compiling cannot pay, however fast the machine code is; empty where it may.

        Args:
            rate: rows per second without it.
        """
        rows = self.rows
        if rows is None or rows / rate > _LEAST_COMPILE_SECONDS:
            return ""
        return (
            f"not tried: {rows:,} rows take {rows / rate:,.1f} s, and compiling takes longer; "
            "say --rows_per_night where a run has more"
        )

    def _find_whole_seconds(self, measured: Measured) -> float:
        rows = self.rows or 0
        return self.loads.find_seconds(measured.settings) + rows / measured.rate


def _describe_waste(
    measured: Measured,
    best: Measured,
    extra: float,
    rows: int,
) -> str:
    """Return why settings are not worth loading, and from how many rows on they are."""
    verb = "loads"
    if measured.settings.compiled:
        verb = "compiles"
    saved_per_row = 1 / best.rate - 1 / measured.rate
    # A slower one saves nothing.
    shown = max(0.0, saved_per_row * rows)
    problem = f"{verb} for {extra:,.1f} s to save {shown:,.1f} s of {rows:,} rows"
    if saved_per_row > 0:
        pays_from = int(extra / saved_per_row) + 1
        problem += f"; pays from {pays_from:,} rows"
    return problem
