"""Settings that may be faster than float32, eager: how fast each is on a sample, and which to keep.

    float32, eager -> every dtype and layout -> mini-batch sizes of the fastest -> that one compiled
        -> the fastest of each kind in turns

A setting whose scores differ by more than the tolerance is measured and shown, and never kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

from configs.errors import Refusal
from configs.tolerance import Tolerance
from model_zoo.arrays import count_rows
from model_zoo.engines.engine import choose_engine, find_engine
from model_zoo.engines.machine import cores
from model_zoo.engines.settings import Settings
from model_zoo.evaluation.agreement import Threshold
from model_zoo.scoring.devices import resolve_devices
from pipelines.tuning.bench import SECONDS, Bench, Score, time_call
from pipelines.tuning.calibration import make_mini_batches
from pipelines.tuning.measured import Measured, find_fastest_of_new_kind, list_kept
from pipelines.tuning.reference import Reference, make_reference
from pipelines.tuning.sample import Parts, count_all_rows, join_parts
from pipelines.tuning.turns import compare_in_turns

WITHOUT = ("bfloat16", "float16", "int8", "int8_linear", "channels_last", "compile")

# Of the speed of the fastest; not more, as a first call is slower than those after it.
_HOPELESS = 0.5
_FINALISTS = 3
# Of mini-batches, in parts and multiples of the one to begin with.
_SIZES = (0.25, 0.5, 2, 4)
ByDtype: TypeAlias = dict[str, Settings]


@dataclass
class Tuning:
    """Measures settings of one model on one sample, and remembers all that it measured.

    Attributes:
        bench: the model and the sample.
        tolerance: how far scores may differ.
        activation, threshold: what makes labels of scores.
        tell: called with each result as it comes.
        measured: all results, float32, eager, first.
        compile_seconds: how long settings took to compile, of those that are compiled.
    """

    bench: Bench
    tolerance: Tolerance
    activation: str
    threshold: Threshold
    tell: Callable[[Measured], None]
    measured: list[Measured] = field(default_factory=list, init=False)
    compile_seconds: dict[Settings, float] = field(default_factory=dict, init=False)
    _reference: Reference | None = field(default=None, init=False)
    # By dtype: what an engine has measured on the sample, the same for all layouts.
    _calibrated: ByDtype = field(default_factory=dict, init=False)

    @property
    def reference(self) -> Reference:
        """Return the scores of float32, eager."""
        assert self._reference is not None  # noqa: S101 - `search` measures it first
        return self._reference

    @property
    def float32(self) -> Measured:
        """Return the result of float32, eager."""
        return self.measured[0]

    def search(
        self,
        batch_rows: int,
        fixed_rows: bool,
        without: Sequence[str],
    ) -> Measured:
        """Measure one setting after the other, and return the fastest within the tolerance.

        Args:
            batch_rows: rows of a mini-batch to begin with.
            fixed_rows: whether the job says so many, and other sizes are not tried.
            without: words of settings to leave out.

        Raises:
            ModelError: the model does not even compute in float32.
        """
        engine_name = choose_engine(self.bench.package.card)
        settings = Settings(batch_rows, engine=engine_name)
        self._measure_reference(settings)

        engine = find_engine(settings.engine)
        card = self.bench.package.card
        devices = resolve_devices(self.bench.device)
        listed = engine.list_settings(card, devices[0], batch_rows, without)
        for settings in listed:
            self._try_layers(settings)

        if not fixed_rows:
            self._try_sizes(batch_rows)

        kept = self._list_kept()
        fastest = [measured.settings for measured in kept]
        refined = engine.list_refinements(card, fastest, without)
        for settings in refined:
            self._try(settings)

        finalists = self._find_finalists()
        # float32, eager, is what the others must beat.
        entrants = [self.float32, *finalists]
        return self._compare_in_turns(entrants)

    def _measure_reference(self, settings: Settings) -> None:
        score = self._load(settings)
        self._shorten_sample(score)
        parts = self._join_whole(settings)
        scores, seconds = self.bench.score_parts(score, parts)
        reference = make_reference(scores, self.activation, self.threshold)
        self._reference = reference

        rate = count_all_rows(parts) / seconds
        # With itself: this tells how many rows are compared.
        agreement = reference.compare(scores)
        measured = Measured(settings, rate, agreement=agreement)
        self._note(measured)

    def _shorten_sample(self, score: Score) -> None:
        """Keep of the sample of a slow model no more rows than it scores in some seconds."""
        bench = self.bench
        affordable = bench.count_affordable_parts(score)
        inputs = bench.sample.inputs[:affordable]
        sample = replace(bench.sample, inputs=inputs)
        self.bench = replace(bench, sample=sample)

    def _try_sizes(self, batch_rows: int) -> None:
        """Measure the fastest settings with smaller and larger mini-batches."""
        best = self._find_fastest().settings
        for factor in _SIZES:
            rows = int(batch_rows * factor)
            # A quarter of a few rows is none.
            if rows:
                other_size = replace(best, batch_rows=rows)
                self._try(other_size)

    def _try_layers(self, settings: Settings) -> None:
        """Measure settings; of int8 layers, try as many as the tolerance allows.

        The least sensitive layers come first, and there are more than half of them, as fewer gain
        little.
        """
        try:
            settings = self._calibrate(settings)
        except Refusal as error:
            refused = Measured(settings, problem=str(error))
            self._note(refused)
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
            least_sensitive = scales[:count]
            some_layers = replace(settings, linear_scales=least_sensitive)
            self._try(some_layers)
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
            found = self._measure_scales(settings)
            self._calibrated[settings.dtype] = found
        return replace(settings, scales=found.scales, linear_scales=found.linear_scales)

    def _measure_scales(self, settings: Settings) -> Settings:
        package = self.bench.package
        inputs = self.bench.sample.inputs
        # The engine says how many rows it wants.
        take_rows = partial(
            make_mini_batches,
            package.card,
            inputs,
            self.reference,
            settings.batch_rows,
        )
        engine = find_engine(settings.engine)
        return engine.calibrate(package, settings, take_rows)

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
        score = self._load(settings)
        if settings.compiled:
            self.compile_seconds[settings] = self.bench.find_compile_seconds()
        float32_rate = self.float32.rate
        parts = self.bench.choose_parts(float32_rate, settings.batch_rows)
        fastest = self._find_fastest()

        first = parts[0]
        seconds = time_call(score, first)
        # One call on one core; all of them compute as many.
        rate = cores() * count_rows(first) / seconds
        is_hopeless = rate < _HOPELESS * fastest.rate
        if is_hopeless and seconds > SECONDS:
            return Measured(settings, rate, problem="slow: given up after its first piece")

        measured = self._compare(settings, score, parts)
        if not measured.problem and measured.rate > fastest.rate:
            measured = self._compare_whole(settings, score)
        return self._weigh_compiling(measured)

    def _weigh_compiling(self, measured: Measured) -> Measured:
        """Give up what takes longer to compile than it saves on all rows of the job."""
        seconds = self.compile_seconds.get(measured.settings, 0.0)
        rows = self.bench.rows
        # Where only reading tells how many rows there are, nobody knows what it saves.
        if measured.problem or not seconds or rows is None:
            return measured
        # The fastest that needs no compiling: float32, eager, is always there.
        others = [kept for kept in self._list_kept() if not kept.settings.compiled]
        fastest = others[0]
        other_seconds = rows / fastest.rate
        own_seconds = rows / measured.rate
        saved = other_seconds - own_seconds
        if saved > seconds:
            return measured
        # A slower one saves nothing.
        shown = max(0.0, saved)
        problem = f"compiles for {seconds:,.1f} s to save {shown:,.1f} s of {rows:,} rows"
        return replace(measured, problem=problem)

    def _compare_whole(self, settings: Settings, score: Score) -> Measured:
        parts = self._join_whole(settings)
        return self._compare(settings, score, parts)

    def _compare(
        self,
        settings: Settings,
        score: Score,
        parts: Parts,
    ) -> Measured:
        scores, seconds = self.bench.score_parts(score, parts)
        agreement = self.reference.compare(scores)
        problem = "beyond the tolerance"
        if agreement.is_within(self.tolerance):
            problem = ""
        rate = count_all_rows(parts) / seconds
        return Measured(settings, rate, agreement=agreement, problem=problem)

    def _load(self, settings: Settings) -> Score:
        """Load the model for as many workers as there are cores."""
        return self.bench.load(settings, cores())

    def _join_whole(self, settings: Settings) -> Parts:
        inputs = self.bench.sample.inputs
        return join_parts(inputs, settings.batch_rows)

    def _list_kept(self) -> list[Measured]:
        """Return what may be kept so far, the fastest first; float32, eager, is always among it."""
        return list_kept(self.measured)

    def _find_fastest(self) -> Measured:
        kept = self._list_kept()
        return kept[0]

    def _find_finalists(self) -> list[Measured]:
        """Return the fastest of each kind that stay within the tolerance on the whole sample.

        One of each kind, because a busy moment may have slowed the fastest kind when its turn came.
        """
        found: list[Measured] = []
        while len(found) < _FINALISTS:
            kept = self._list_kept()
            fastest = find_fastest_of_new_kind(kept, found)
            if fastest is None:
                break
            # Some have scored but a few parts. On the whole sample they may be slower than others,
            # or beyond the tolerance, so the fastest is looked for again.
            if self._is_measured_whole(fastest):
                found.append(fastest)
            else:
                self._measure_whole(fastest)
        return [measured for measured in found if measured is not self.float32]

    def _is_measured_whole(self, measured: Measured) -> bool:
        agreement = measured.agreement
        if agreement is None:
            return True
        return agreement.rows >= self.reference.good_rows

    def _measure_whole(self, measured: Measured) -> None:
        settings = measured.settings
        score = self._load(settings)
        compared = self._compare_whole(settings, score)
        whole = self._weigh_compiling(compared)
        # In the place of what was measured on some parts.
        place = self.measured.index(measured)
        self.measured[place] = whole
        self.tell(whole)

    def _compare_in_turns(self, finalists: Sequence[Measured]) -> Measured:
        return compare_in_turns(self.bench, finalists)
