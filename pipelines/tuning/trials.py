"""What settings come to on a sample, one after the other, and all that was measured so far.

A setting whose scores differ by more than the tolerance is measured and shown, and never kept.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from configs.errors import Refusal
from configs.tolerance import Tolerance
from model_zoo.arrays import count_rows
from model_zoo.engines.machine import cores
from model_zoo.engines.settings import Settings
from model_zoo.evaluation.agreement import Threshold
from pipelines.tuning.bench import SECONDS, Bench, Score, time_call
from pipelines.tuning.measured import Measured, list_kept
from pipelines.tuning.night import Night
from pipelines.tuning.reference import Reference, make_reference
from pipelines.tuning.sample import Parts, count_all_rows, join_parts

# Of the speed of the fastest; not more, as a first call is slower than those after it.
_HOPELESS = 0.5


@dataclass
class Trials:
    """Measures settings of one model on one sample, and remembers all that it measured.

    Attributes:
        bench: the model and the sample.
        tolerance: how far scores may differ.
        activation, threshold: what makes labels of scores.
        night: the rows of a run, and what settings cost and save of it.
        tell: called with each result as it comes.
        may_keep_reference: whether the reference may be kept; a job that names another engine wants
            the best of that one.
        measured: all results, the reference first.
    """

    bench: Bench
    tolerance: Tolerance
    activation: str
    threshold: Threshold
    night: Night
    tell: Callable[[Measured], None]
    may_keep_reference: bool
    measured: list[Measured] = field(default_factory=list, init=False)
    _scores: Reference | None = field(default=None, init=False)

    @property
    def scores(self) -> Reference:
        """Return the scores of the reference."""
        assert self._scores is not None  # noqa: S101 - the reference is measured first
        return self._scores

    @property
    def reference(self) -> Measured:
        """Return the result of the reference."""
        return self.measured[0]

    @property
    def fastest_rate(self) -> float:
        """Return how fast the fastest is that may be kept; 0 where there is none."""
        kept = self.list_kept()
        if not kept:
            return 0.0
        fastest = kept[0]
        return fastest.rate

    def measure_reference(self, settings: Settings) -> None:
        """Measure the settings that all others are compared with.

        Raises:
            ModelError: the model does not even compute with them.
            InputError: its scores are finite for no row.
        """
        score = self._load(settings)
        self._shorten_sample(score)
        parts = self._join_whole(settings)
        scores, seconds = self.bench.score_parts(score, parts)
        reference = make_reference(scores, self.activation, self.threshold)
        self._scores = reference

        rate = count_all_rows(parts) / seconds
        # With itself: this tells how many rows are compared.
        agreement = reference.compare(scores)
        measured = Measured(settings, rate, agreement=agreement)
        self.note(measured)

    def measure(self, settings: Settings) -> Measured:
        """Measure settings, note what came of them, and return it.

        Where they do not go with this model or machine, that is noted.
        """
        try:
            measured = self._measure(settings)
        except Refusal as error:
            measured = Measured(settings, problem=str(error))
        self.note(measured)
        return measured

    def note(self, measured: Measured) -> None:
        """Remember a result, and tell it."""
        self.measured.append(measured)
        self.tell(measured)

    def list_kept(self) -> list[Measured]:
        """Return what may be kept so far, the fastest first."""
        kept = list_kept(self.measured)
        if self.may_keep_reference:
            return kept
        return [measured for measured in kept if measured is not self.reference]

    def list_kept_of(self, engine: str) -> list[Measured]:
        """Return what may be kept of an engine, the fastest first."""
        return [kept for kept in self.list_kept() if kept.settings.engine == engine]

    def find_engine_rate(self, engine: str) -> float:
        """Return how fast an engine is in float32; 0 where it does not load the model."""
        for measured in self.measured:
            settings = measured.settings
            if settings.engine == engine and settings.is_reference:
                return measured.rate
        return 0.0

    def find_most_rows(self) -> int:
        """Return the rows of the largest mini-batch of which every core can have a full one."""
        # Padding takes as long as rows, and would be timed in their place.
        rows_per_core = max(1, self.bench.sample.rows // cores())
        # The power of two below: libraries' kernels come in blocks of such sizes.
        return 1 << (rows_per_core.bit_length() - 1)

    def is_measured_whole(self, measured: Measured) -> bool:
        """Tell whether settings have scored the whole sample."""
        agreement = measured.agreement
        if agreement is None:
            return True
        return agreement.rows >= self.scores.good_rows

    def measure_whole(self, measured: Measured) -> None:
        """Measure on the whole sample what was measured on some parts, and put that in its place."""
        settings = measured.settings
        score = self._load(settings)
        compared = self._compare_whole(settings, score)
        whole = self._weigh(compared)
        place = self.measured.index(measured)
        self.measured[place] = whole
        self.tell(whole)

    def weigh_again(self) -> None:
        """Give up what is not worth loading now that all others are known."""
        for place, measured in enumerate(self.measured):
            weighed = self._weigh(measured)
            # The reference stays, whatever loads faster: all others are compared with it.
            if place and weighed is not measured:
                self.measured[place] = weighed
                self.tell(weighed)

    def _shorten_sample(self, score: Score) -> None:
        """Keep of the sample of a slow model no more rows than it scores in some seconds."""
        bench = self.bench
        affordable = bench.count_affordable_parts(score)
        inputs = bench.sample.inputs[:affordable]
        sample = replace(bench.sample, inputs=inputs)
        self.bench = replace(bench, sample=sample)

    def _measure(self, settings: Settings) -> Measured:
        """Measure on some parts; on the whole sample too if that makes it the fastest."""
        score = self._load(settings)
        parts = self.bench.choose_parts(self.reference.rate, settings.batch_rows)
        fastest_rate = self.fastest_rate

        first = parts[0]
        seconds = time_call(score, first)
        # One call on one core; all of them compute as many.
        rate = cores() * count_rows(first) / seconds
        least_rate = _HOPELESS * fastest_rate
        # An engine's own float32 may be the next best for machines that do not have the fastest one.
        if settings.is_reference:
            least_rate = min(least_rate, self.reference.rate)
        is_hopeless = rate < least_rate
        if is_hopeless and seconds > SECONDS:
            return Measured(settings, rate, problem="slow: given up after its first piece")

        measured = self._compare(settings, score, parts)
        if not measured.problem and measured.rate > fastest_rate:
            measured = self._compare_whole(settings, score)
        return self._weigh(measured)

    def _weigh(self, measured: Measured) -> Measured:
        """Give up what takes longer to load, or to compile, than it saves on all rows of a run."""
        kept = self.list_kept()
        return self.night.weigh(measured, kept)

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
        agreement = self.scores.compare(scores)
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
