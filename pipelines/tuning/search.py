"""Which settings are tried, in which order, and which of them are the best.

    reference -> float32 of every other engine -> their dtypes and layouts, the most promising first
        -> mini-batch sizes of the fastest -> those compiled
        -> the fastest of each kind, with several numbers of workers, in turns

The reference is float32, eager, or, of a package without a network, what its own engine makes of
it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

from configs.errors import JobError, Refusal
from model_zoo.engines.engine import Engine
from model_zoo.engines.settings import Settings
from model_zoo.scoring.devices import resolve_devices
from pipelines.tuning.budget import Budget
from pipelines.tuning.calibration import make_mini_batches
from pipelines.tuning.engines import find_reference
from pipelines.tuning.measured import Measured, find_fastest_of_new_kind
from pipelines.tuning.promise import can_win, expect_rate
from pipelines.tuning.trials import Trials
from pipelines.tuning.turns import Comparison, compare_in_turns

_FINALISTS = 3
# Of mini-batches, in parts and multiples of the one to begin with.
_SIZES = (0.25, 0.5, 2, 4)
# Of the fastest kinds, those whose best mini-batch is looked for; and how near to the fastest they
# must be, as another size makes up for no more.
_SIZED_KINDS = 2
_NEAR = 0.7
_OUT_OF_TIME = "not tried: the time is up; give more --minutes"
# By engine and dtype.
Calibrated: TypeAlias = dict[tuple[str, str], Settings]


@dataclass
class Search:
    """Tries settings of all engines, and finds the best of them.

    Attributes:
        trials: measures settings.
        engines: those that are tried.
        budget: the time that all of it may take.
    """

    trials: Trials
    engines: Sequence[Engine]
    budget: Budget
    # What an engine has measured on the sample, the same for all layouts.
    _calibrated: Calibrated = field(default_factory=dict, init=False)

    def find_best(
        self,
        batch_rows: int,
        fixed_rows: bool,
        without: Sequence[str],
    ) -> Comparison:
        """Measure one setting after the other, and return those that may be kept, the best first.

        Args:
            batch_rows: rows of a mini-batch to begin with.
            fixed_rows: whether the job says so many, and other sizes are not tried.
            without: words of settings to leave out.

        Raises:
            ModelError: the model does not even compute with the reference settings.
            JobError: nothing may be kept of the engine that the job names.
        """
        trials = self.trials
        if not fixed_rows:
            batch_rows = min(batch_rows, trials.find_most_rows())
        engine_name = find_reference(trials.bench.package.card)
        reference = Settings(batch_rows, engine=engine_name)
        trials.measure_reference(reference)
        self._try_engines(batch_rows)
        self._try_promising(batch_rows, without)
        if not fixed_rows:
            self._try_sizes(batch_rows)
        self._try_refinements(without)
        trials.weigh_again()
        finalists = self._find_finalists()
        if not finalists:
            raise JobError(
                "nothing of the engine that model.engine names may be kept, see the table above; "
                "loosen model.tolerance, or set model.engine to auto"
            )
        return self._compare_in_turns(finalists)

    def _try_engines(self, batch_rows: int) -> None:
        """Measure float32 of every engine: the others of it are judged by that."""
        for engine in self.engines:
            settings = Settings(batch_rows, engine=engine.name)
            if settings != self.trials.reference.settings:
                self.trials.measure(settings)

    def _try_promising(self, batch_rows: int, without: Sequence[str]) -> None:
        """Measure the dtypes and layouts of every engine, the most promising first."""
        bench = self.trials.bench
        device = resolve_devices(bench.device)[0]
        candidates: list[Settings] = []
        for engine in self.engines:
            # What is not loaded in float32 is not loaded in another dtype.
            if self.trials.find_engine_rate(engine.name):
                listed = engine.list_settings(bench.package.card, device, batch_rows, without)
                candidates.extend(listed)
        # Sorting keeps the order of equals, which is the engine's own.
        candidates.sort(key=self._expect, reverse=True)
        for settings in candidates:
            engine_rate = self.trials.find_engine_rate(settings.engine)
            if not self._skip(settings, engine_rate):
                self._try_calibrated(settings)

    def _expect(self, settings: Settings) -> float:
        engine_rate = self.trials.find_engine_rate(settings.engine)
        return expect_rate(settings, engine_rate)

    def _skip(self, settings: Settings, engine_rate: float) -> bool:
        """Note why settings are not tried, and tell whether: they cannot win, or the time is up."""
        trials = self.trials
        problem = ""
        if self.budget.is_search_over:
            problem = _OUT_OF_TIME
        elif not can_win(settings, engine_rate, trials.fastest_rate):
            problem = f"not tried: {settings.engine} is too far behind here"
        elif settings.compiled:
            problem = trials.night.refuse_compiling(engine_rate)
        if problem:
            skipped = Measured(settings, problem=problem)
            trials.note(skipped)
        return bool(problem)

    def _try_sizes(self, batch_rows: int) -> None:
        """Measure the fastest kinds with smaller and larger mini-batches."""
        trials = self.trials
        found: list[Measured] = []
        kept = trials.list_kept()
        least_rate = _NEAR * trials.fastest_rate
        near = [measured for measured in kept if measured.rate >= least_rate]
        while len(found) < _SIZED_KINDS:
            fastest = find_fastest_of_new_kind(near, found)
            if fastest is None:
                break
            found.append(fastest)
        sizes = [int(batch_rows * factor) for factor in _SIZES]
        most_rows = trials.find_most_rows()
        # A quarter of a few rows is none.
        fitting = [rows for rows in sizes if 1 <= rows <= most_rows]
        for measured in found:
            for rows in fitting:
                if self.budget.is_search_over:
                    return
                other_size = replace(measured.settings, batch_rows=rows)
                trials.measure(other_size)

    def _try_refinements(self, without: Sequence[str]) -> None:
        """Measure what each engine makes of its fastest settings."""
        card = self.trials.bench.package.card
        for engine in self.engines:
            own = self.trials.list_kept_of(engine.name)
            if not own:
                continue
            fastest = [measured.settings for measured in own]
            own_rate = own[0].rate
            for settings in engine.list_refinements(card, fastest, without):
                if not self._skip(settings, own_rate):
                    self.trials.measure(settings)

    def _try_calibrated(self, settings: Settings) -> None:
        """Measure settings, with what the engine measures on the sample first."""
        try:
            calibrated = self._calibrate(settings)
        except Refusal as error:
            refused = Measured(settings, problem=str(error))
            self.trials.note(refused)
            return
        self.trials.measure(calibrated)

    def _calibrate(self, settings: Settings) -> Settings:
        """Return settings with what the engine measures on the sample, once for all layouts."""
        kind = (settings.engine, settings.dtype)
        if kind not in self._calibrated:
            self._calibrated[kind] = self._measure_scales(settings)
        found = self._calibrated[kind]
        return replace(
            found,
            batch_rows=settings.batch_rows,
            layout=settings.layout,
            compiled=settings.compiled,
        )

    def _measure_scales(self, settings: Settings) -> Settings:
        bench = self.trials.bench
        # The engine says how many rows it wants.
        take_rows = partial(
            make_mini_batches,
            bench.package.card,
            bench.sample.inputs,
            self.trials.scores,
            settings.batch_rows,
        )
        by_name = {engine.name: engine for engine in self.engines}
        engine = by_name[settings.engine]
        return engine.calibrate(bench.package, settings, take_rows)

    def _find_finalists(self) -> list[Measured]:
        """Return the fastest of each kind that stay within the tolerance on the whole sample.

        One of each kind, because a busy moment may have slowed the fastest kind when its turn came;
        and one of each engine, for machines that do not have the fastest one.
        """
        trials = self.trials
        found: list[Measured] = []
        while len(found) < _FINALISTS:
            kept = trials.list_kept()
            fastest = find_fastest_of_new_kind(kept, found)
            if fastest is None:
                break
            # Some have scored but a few parts. On the whole sample they may be slower than others,
            # or beyond the tolerance, so the fastest is looked for again.
            if trials.is_measured_whole(fastest):
                found.append(fastest)
            else:
                trials.measure_whole(fastest)
        found.extend(self._list_best_of_other_engines(found))
        if trials.may_keep_reference and trials.reference not in found:
            found.append(trials.reference)
        return found

    def _compare_in_turns(self, finalists: Sequence[Measured]) -> Comparison:
        trials = self.trials
        return compare_in_turns(
            trials.bench,
            trials.reference,
            finalists,
            trials.night,
            self.budget,
        )

    def _list_best_of_other_engines(self, found: Sequence[Measured]) -> list[Measured]:
        """Return the fastest of each engine that has none among those found."""
        known = {measured.settings.engine for measured in found}
        others = []
        for engine in self.engines:
            if engine.name in known:
                continue
            fastest = self._find_best_of(engine.name)
            if fastest is not None:
                others.append(fastest)
        return others

    def _find_best_of(self, engine: str) -> Measured | None:
        """Return the fastest settings of an engine that may be kept; None where there are none."""
        while own := self.trials.list_kept_of(engine):
            fastest = own[0]
            if self.trials.is_measured_whole(fastest):
                return fastest
            # On the whole sample it may be beyond the tolerance, and another one the fastest.
            self.trials.measure_whole(fastest)
        return None
