"""What settings cost and save in a whole run: a model is loaded each time, and its rows are scored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
import time

from model_zoo.engines.compiled import find_compile_seconds
from model_zoo.engines.settings import Settings
from pipelines.tuning.bench import Load, Score
from pipelines.tuning.measured import Measured

# What any run takes, before it loads a model.
_START_SECONDS = 2.0
# What a rate may be wrong by that was measured alone, before turns are taken.
_UNSURE = 0.1
# Loads that differ by less are as long: no run is shorter for it.
_SAME_SECONDS = 0.1
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
        engine = settings.engine
        score, seconds = self._time(settings, workers)
        is_first = engine not in self._start_seconds
        if is_first:
            self._start_seconds[engine] = 0.0
        if is_first and seconds < _LONG_SECONDS:
            first = seconds
            score, seconds = self._time(settings, workers)
            # What the first load took longer is what starting the library takes.
            starting = first - seconds
            self._start_seconds[engine] = max(0.0, starting)
        if settings.compiled:
            # Machine code of an earlier run is there at once.
            compiling = self.find_compile_seconds()
            seconds = max(seconds, compiling)
        # The least of all loads, as one may have met a busy moment.
        before = self._seconds.get(settings, seconds)
        self._seconds[settings] = min(before, seconds)
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
        own_load = self._find_load(measured)
        others = []
        for other in kept:
            is_quicker = self._find_load(other) < own_load - _SAME_SECONDS
            if is_quicker and other.rate:
                others.append(other)
        if not others:
            return measured
        best = min(others, key=self._find_whole_seconds)
        extra = own_load - self._find_load(best)
        seconds_of_best = rows / best.rate
        own_seconds = rows / measured.rate
        saved = seconds_of_best - own_seconds
        # Turns tell it better, in which loading counts as well.
        unsure = _UNSURE * seconds_of_best
        if saved + unsure > extra:
            return measured
        is_compiled = measured.settings.compiled
        # A slower one, which the table shows: there is nothing to weigh.
        if saved <= 0 and not is_compiled:
            return measured
        problem = _describe_waste(measured, best, extra, rows)
        return replace(measured, problem=problem)

    def find_run_seconds(self, measured: Measured) -> float:
        """Return how long a run takes; of a row alone where nobody knows how many there are.

        Args:
            measured: with a rate.
        """
        if self.rows is None:
            return 1 / measured.rate
        return _START_SECONDS + self._find_whole_seconds(measured)

    def refuse_compiling(self, rate: float) -> str:
        """Return why compiling cannot pay, however fast the machine code is; empty where it may.

        Args:
            rate: rows per second without it.
        """
        rows = self.rows
        if rows is None:
            return ""
        seconds = rows / rate
        if seconds > _LEAST_COMPILE_SECONDS:
            return ""
        return (
            f"not tried: {rows:,} rows take {seconds:,.1f} s, and compiling takes longer; "
            "say --rows_per_night where a run has more"
        )

    def _find_load(self, measured: Measured) -> float:
        return self.loads.find_seconds(measured.settings)

    def _find_whole_seconds(self, measured: Measured) -> float:
        rows = self.rows or 0
        scoring = rows / measured.rate
        return self._find_load(measured) + scoring


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
    per_row_of_best = 1 / best.rate
    per_row = 1 / measured.rate
    saved_per_row = per_row_of_best - per_row
    saved = saved_per_row * rows
    # A slower one saves nothing.
    shown = max(0.0, saved)
    cost = f"{verb} for {extra:,.1f} s"
    problem = f"{cost} to save {shown:,.1f} s of {rows:,} rows"
    if saved_per_row <= 0:
        return problem
    just_enough = int(extra / saved_per_row)
    return f"{problem}; pays from {just_enough + 1:,} rows"
