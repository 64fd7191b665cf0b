"""Which settings are tried and which is kept, on a clock of the test's own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from configs.errors import JobError
from configs.tolerance import Tolerance
from model_zoo.arrays import Arrays
from model_zoo.engines.settings import Settings
from pipelines.tuning.budget import Budget
from pipelines.tuning.measured import Measured
from pipelines.tuning.night import LoadTimes, Night
from pipelines.tuning.sample import ReadRows, Sample
from pipelines.tuning.search import Search
from pipelines.tuning.trials import Trials
from tests.pipelines.tuning.clocked_bench import (
    Clock,
    Engine,
    Loader,
    Model,
    make_bench,
    use_clock,
)

FLOAT32 = Settings(8)
BFLOAT16 = Settings(8, dtype="bfloat16")
FLOAT16 = Settings(8, dtype="float16")
CHANNELS_LAST = Settings(8, layout="channels_last")
COMPILED = Settings(8, compiled=True)
TOLERANCE = Tolerance(max_difference=0.01, label_agreement=0.9, cosine=0.9)
Models = Callable[[Settings], Model]


class Searched:
    """A search that has ended.

    Attributes:
        best: the first of what it returned; `kept` is all of that.
        told: every result, in order.
        trials, loader, engine: what it went through.
    """

    def __init__(self, patch: pytest.MonkeyPatch, models: Models, engine: Any, parts: list[int], fixed: bool = True, rows: int | None = None, compile_seconds: float = 0.0, others: Sequence[Any] = (), batch_rows: int = 8, seconds: float = 1e9, may_keep_reference: bool = True, prepare_seconds: float = 0.0) -> None:  # fmt: skip
        self.loader = Loader(models)
        clock = self.loader.clock
        loads = LoadTimes(self.loader, clock.perf_counter, lambda: compile_seconds)
        bench = replace(make_bench(self.loader, parts), load=loads)
        bench = replace(bench, sample=_slowed(bench.sample, prepare_seconds, clock))
        use_clock(patch, clock)
        self.told: list[Measured] = []
        self.trials = Trials(
            bench=bench,
            tolerance=TOLERANCE,
            activation="sigmoid",
            threshold=0.5,
            night=Night(rows, loads),
            tell=self.told.append,
            may_keep_reference=may_keep_reference,
        )
        budget = Budget(seconds, clock.perf_counter)
        search = Search(self.trials, [engine, *others], budget)
        self.kept = search.find_best(batch_rows, fixed, ()).best
        self.best = self.kept[0]
        self.engine = engine

    def of(self, settings: Settings) -> list[Measured]:
        return [measured for measured in self.told if measured.settings == settings]


def _slowed(sample: Sample, seconds: float, clock: Clock) -> Sample:
    """Return a sample whose preprocessing takes so long for each row."""

    def prepare(rows: ReadRows) -> Arrays:
        clock.now += rows.length * seconds
        return sample.prepare(rows)

    return replace(sample, prepare=prepare)


def by_dtype(**models: Model) -> Models:
    return lambda settings: models[settings.dtype]


def test_the_fastest_within_the_tolerance_is_kept_with_its_gain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = by_dtype(float32=Model(100), bfloat16=Model(300, 0.001), float16=Model(900, 3.0))
    found = Searched(monkeypatch, models, Engine([BFLOAT16, FLOAT16]), [100] * 4)
    assert found.best.settings == BFLOAT16
    assert found.best.speed_up == pytest.approx(3)
    assert found.best.rows_per_second == pytest.approx(300)
    assert found.best.problem == ""
    [beyond] = found.of(FLOAT16)
    assert beyond.problem == "beyond the tolerance"
    assert beyond.rows_per_second == pytest.approx(900)
    [reference] = found.of(FLOAT32)
    assert found.told[0] is reference
    assert reference.rows_per_second == pytest.approx(100)
    assert reference.agreement is not None
    assert (reference.agreement.rows, reference.agreement.max_difference) == (400, 0)


@pytest.mark.parametrize(("rate", "kept"), [(102.9, FLOAT32), (103.1, BFLOAT16), (99, FLOAT32)])
def test_a_gain_of_less_than_3_percent_is_not_worth_other_scores(
    rate: float, kept: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = by_dtype(float32=Model(100), bfloat16=Model(rate))
    found = Searched(monkeypatch, models, Engine([BFLOAT16]), [100] * 4)
    assert found.best.settings == kept
    assert found.best.speed_up == pytest.approx(rate / 100 if kept == BFLOAT16 else 1)


@pytest.mark.parametrize(("prepare_seconds", "kept"), [(0.0, BFLOAT16), (0.1, BFLOAT16), (0.2, FLOAT32)])  # fmt: skip
def test_a_gain_that_preprocessing_makes_small_is_not_worth_other_scores(
    prepare_seconds: float, kept: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row takes 10 ms in float32 and 5 in bfloat16: of 110 ms with preprocessing that is 4.5 %, of 210 it is 2.4 %."""
    models = by_dtype(float32=Model(100), bfloat16=Model(200))
    engine = Engine([BFLOAT16])
    found = Searched(monkeypatch, models, engine, [100] * 4, prepare_seconds=prepare_seconds)
    assert found.best.settings == kept
    [alone] = found.of(BFLOAT16)
    assert alone.rows_per_second == pytest.approx(200)


def test_what_cannot_be_loaded_or_measured_is_told_with_its_reason_and_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = by_dtype(float32=Model(100), bfloat16=Model(1, refusal="no such units"), int8=Model(9))
    engine = Engine([BFLOAT16, Settings(8, dtype="int8")])
    engine.scales = {"int8": "nothing to quantise"}
    found = Searched(monkeypatch, models, engine, [100] * 4)
    assert found.best.settings == FLOAT32
    assert [measured.problem for measured in found.told] == ["", "nothing to quantise", "no such units"]  # fmt: skip
    assert [measured.rate for measured in found.told[1:]] == [0, 0]


@pytest.mark.parametrize(("rate", "given_up"), [(49.9, True), (50.1, False)])
def test_what_takes_long_and_is_less_than_half_as_fast_is_given_up_after_one_call(
    rate: float, given_up: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = by_dtype(float32=Model(100), bfloat16=Model(rate))
    found = Searched(monkeypatch, models, Engine([BFLOAT16]), [100] * 4)
    measured = found.of(BFLOAT16)[0]
    assert (measured.agreement is None) is given_up
    assert measured.problem == ("slow: given up after its first piece" if given_up else "")
    calls = [rows for settings, rows in found.loader.calls if settings == BFLOAT16]
    assert (calls == [100]) is given_up


def test_what_is_slow_and_takes_no_time_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    models = by_dtype(float32=Model(100_000), bfloat16=Model(10_000))
    found = Searched(monkeypatch, models, Engine([BFLOAT16]), [100] * 4)
    [measured] = found.of(BFLOAT16)
    assert measured.agreement is not None


def test_other_sizes_of_mini_batches_are_tried_of_the_fastest_unless_the_job_says_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def models(settings: Settings) -> Model:
        return Model(300 if settings.dtype == "bfloat16" else 100)

    found = Searched(monkeypatch, models, Engine([BFLOAT16]), [100] * 4, fixed=False)
    sizes = [measured.settings for measured in found.told[2:]]
    assert sizes == [replace(BFLOAT16, batch_rows=rows) for rows in (2, 4, 16, 32)]
    fixed = Searched(monkeypatch, models, Engine([BFLOAT16]), [100] * 4)
    assert len(fixed.told) == 2


def test_other_sizes_are_tried_of_two_kinds_that_are_near_the_fastest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def models(settings: Settings) -> Model:
        if settings.layout == "channels_last":
            return Model(380)
        return Model({"bfloat16": 400, "float16": 390, "float32": 100}[settings.dtype])

    third = replace(BFLOAT16, layout="channels_last")
    engine = Engine([BFLOAT16, FLOAT16, third])
    found = Searched(monkeypatch, models, engine, [100] * 4, fixed=False)
    assert found.of(third)[0].rate == pytest.approx(380)
    resized = [m.settings for m in found.told if m.settings.batch_rows != 8]
    # The fastest two, and not the third, however near it is.
    expected = [
        replace(kind, batch_rows=rows) for kind in (BFLOAT16, FLOAT16) for rows in (2, 4, 16, 32)
    ]
    assert resized == expected


def test_of_a_kind_that_is_far_behind_no_other_size_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = by_dtype(float32=Model(100), bfloat16=Model(400), float16=Model(279))
    found = Searched(monkeypatch, models, Engine([BFLOAT16, FLOAT16]), [100] * 4, fixed=False)
    resized = {m.settings.dtype for m in found.told if m.settings.batch_rows != 8}
    # 0.7 of 400 is 280.
    assert resized == {"bfloat16"}


def test_no_mini_batch_of_no_rows_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Searched(
        monkeypatch, lambda _: Model(100), Engine([]), [100], fixed=False, batch_rows=2
    )
    assert [measured.settings.batch_rows for measured in found.told] == [2, 1, 4, 8]


def test_no_mini_batch_is_tried_that_the_sample_does_not_fill(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 20 rows 16 fill one; 32 would be timed with their padding, and so would the default."""
    model = Model(100)
    found = Searched(monkeypatch, lambda _: model, Engine([]), [20], fixed=False)
    assert [measured.settings.batch_rows for measured in found.told] == [8, 2, 4, 16]
    large = Searched(monkeypatch, lambda _: model, Engine([]), [20], fixed=False, batch_rows=64)
    assert [measured.settings.batch_rows for measured in large.told] == [16, 4, 8]


def test_the_engine_refines_what_may_be_kept_the_fastest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def models(settings: Settings) -> Model:
        rates = {FLOAT32: 100, BFLOAT16: 300, CHANNELS_LAST: 200, COMPILED: 600}
        return Model(rates[settings], 9.0 if settings == BFLOAT16 else 0.0)

    engine = Engine([BFLOAT16, CHANNELS_LAST], refined=[COMPILED])
    found = Searched(monkeypatch, models, engine, [100] * 4)
    assert engine.refined_from == [CHANNELS_LAST, FLOAT32]
    assert found.best.settings == COMPILED
    assert found.best.speed_up == pytest.approx(6)


def test_at_most_three_finalists_each_of_another_kind_take_turns_with_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds = [BFLOAT16, FLOAT16, CHANNELS_LAST, COMPILED]
    rates = {FLOAT32: 300.0, BFLOAT16: 500.0, FLOAT16: 450.0, CHANNELS_LAST: 400.0, COMPILED: 350.0}

    def models(settings: Settings) -> Model:
        return Model(rates[replace(settings, batch_rows=8)] + settings.batch_rows / 100)

    engine = Engine([*kinds, replace(BFLOAT16, batch_rows=64)])
    found = Searched(monkeypatch, models, engine, [100] * 4)
    # The bench loads again what takes turns: the fastest and float32, then the fastest of each kind.
    last = [settings for settings, _ in found.loader.loaded[-4:]]
    assert last == [replace(BFLOAT16, batch_rows=64), FLOAT32, FLOAT16, CHANNELS_LAST]
    assert found.best.settings == replace(BFLOAT16, batch_rows=64)


def test_float32_is_compared_once_also_where_it_is_among_the_fastest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = by_dtype(float32=Model(300), bfloat16=Model(200))
    found = Searched(monkeypatch, models, Engine([BFLOAT16]), [100] * 4)
    assert [settings for settings, _ in found.loader.loaded[-2:]] == [FLOAT32, BFLOAT16]


def test_a_finalist_that_was_measured_on_some_parts_is_measured_on_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is slower than float32, so that not all of the sample was needed at first."""
    models = by_dtype(float32=Model(1000), bfloat16=Model(900))
    found = Searched(monkeypatch, models, Engine([BFLOAT16]), [100] * 40)
    first, whole = found.of(BFLOAT16)
    assert first.agreement is not None
    assert whole.agreement is not None
    assert first.agreement.rows < whole.agreement.rows == 4_000
    assert found.trials.measured == [found.told[0], whole]


def test_what_an_engine_measures_holds_for_all_layouts_of_a_dtype(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    int8 = Settings(8, dtype="int8")
    tried = [int8, replace(int8, layout="channels_last"), BFLOAT16]
    engine = Engine(tried)
    found = Searched(monkeypatch, lambda _: Model(100), engine, [100] * 4)
    assert engine.calibrated == [int8, BFLOAT16]
    assert [measured.settings for measured in found.trials.measured[1:]] == tried


def test_an_engine_measures_on_rows_that_float32_scores_in_mini_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 4 parts with 10 rows, of which 3 have no score, it asks for 25 rows in mini-batches of 8."""
    engine = Engine([Settings(8, dtype="int8")])
    rows = np.linspace(-4, 4, 10, dtype=np.float32)
    rows[:3] = np.nan
    monkeypatch.setattr(np, "linspace", lambda *_, **__: rows)
    Searched(monkeypatch, lambda _: Model(100), engine, [10] * 4)
    assert engine.batches == [7, 7, 7, 4]


def test_of_a_slow_model_only_what_it_scores_in_20_seconds_is_scored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Searched(monkeypatch, lambda _: Model(100), Engine([]), [100] * 40)
    assert found.trials.bench.sample.rows == 2_000
    slower = Searched(monkeypatch, lambda _: Model(1), Engine([]), [100] * 40)
    assert slower.trials.bench.sample.rows == 600


@pytest.mark.parametrize(
    ("rows", "seconds", "problem", "best"),
    [
        # 10 rows/s as it is and 40 compiled: 1,000 rows take 100 s and 25 s.
        (1_000, 60.0, "", COMPILED),
        (
            1_000,
            85.1,
            "compiles for 85.1 s to save 75.0 s of 1,000 rows; pays from 1,135 rows",
            FLOAT32,
        ),
        # So little too much may have been a busy moment, until turns tell.
        (1_000, 84.9, "", FLOAT32),
        # Of CSV nobody knows the rows, and of old machine code how long it took.
        (None, 80.0, "", COMPILED),
        (1_000, 0.0, "", COMPILED),
    ],
)
def test_compiling_must_save_more_than_it_takes(
    rows: int | None, seconds: float, problem: str, best: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = Searched(
        monkeypatch,
        lambda settings: Model(40.0 if settings.compiled else 10.0),
        Engine([], [COMPILED]),
        [80] * 4,
        rows=rows,
        compile_seconds=seconds,
    )
    assert searched.of(COMPILED)[-1].problem == problem
    assert searched.best.settings == best


def test_what_is_compiled_and_no_faster_saves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = Searched(
        monkeypatch,
        lambda settings: Model(9.0 if settings.compiled else 10.0),
        Engine([], [COMPILED]),
        [80] * 4,
        rows=1_000,
        compile_seconds=2.0,
    )
    assert searched.of(COMPILED)[-1].problem == "compiles for 2.0 s to save 0.0 s of 1,000 rows"
    assert searched.best.settings == FLOAT32


# Beside torch: an engine that computes graphs, twice as fast, and faster still in 8 bits.
GRAPH = Settings(8, engine="graph")
GRAPH_INT8 = replace(GRAPH, dtype="int8")
GRAPH_BFLOAT16 = replace(GRAPH, dtype="bfloat16")


def make_graph_engine(*tried: Settings, name: str = "graph") -> Engine:
    engine = Engine(tried)
    engine.name = name
    return engine


def by_settings(rates: dict[Settings, float]) -> Models:
    return lambda settings: Model(rates[settings])


def test_the_fastest_of_all_engines_is_kept_and_the_next_best_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates = {FLOAT32: 100.0, BFLOAT16: 150.0, GRAPH: 200.0, GRAPH_INT8: 500.0}
    graph = make_graph_engine(GRAPH_INT8)
    found = Searched(monkeypatch, by_settings(rates), Engine([BFLOAT16]), [100] * 4, others=[graph])
    kept = [(measured.settings, measured.speed_up) for measured in found.kept]
    # float32 of the reference closes the list: it runs wherever the program does.
    assert [settings for settings, _ in kept] == [GRAPH_INT8, GRAPH, BFLOAT16, FLOAT32]
    assert [gain for _, gain in kept] == pytest.approx([5, 2, 1.5, 1])


def test_float32_of_every_engine_comes_first_and_then_the_most_promising(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A dtype promises what it usually gains over float32 of its own engine."""
    rates = dict.fromkeys([FLOAT32, BFLOAT16, CHANNELS_LAST, GRAPH, GRAPH_INT8], 100.0)
    rates[GRAPH] = rates[GRAPH_BFLOAT16] = 120.0
    graph = make_graph_engine(GRAPH_BFLOAT16, GRAPH_INT8)
    torch_engine = Engine([CHANNELS_LAST, BFLOAT16])
    found = Searched(monkeypatch, by_settings(rates), torch_engine, [100] * 4, others=[graph])
    tried = [measured.settings for measured in found.told]
    # 3 x 120 rows/s, 2 x 120, 2 x 100, 1.1 x 100
    expected = [FLOAT32, GRAPH, GRAPH_INT8, GRAPH_BFLOAT16, BFLOAT16, CHANNELS_LAST]
    assert tried == expected


def test_what_cannot_win_any_more_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No 8 bits have been eight times as fast as float32 of their engine."""
    int8 = Settings(8, dtype="int8")
    for fastest, tried in ((790.0, True), (810.0, False)):
        rates = {FLOAT32: 100.0, int8: 500.0, GRAPH: fastest}
        graph = make_graph_engine()
        found = Searched(monkeypatch, by_settings(rates), Engine([int8]), [100] * 4, others=[graph])
        [measured] = found.of(int8)[:1]
        assert (measured.rate > 0) is tried
        if not tried:
            assert measured.problem == "not tried: torch is too far behind here"
            assert int8 not in [settings for settings, _ in found.loader.loaded]


def test_of_an_engine_that_does_not_load_the_model_nothing_else_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def models(settings: Settings) -> Model:
        return Model(100, refusal="an operator is unknown" if settings.engine == "graph" else "")

    graph = make_graph_engine(GRAPH_INT8)
    found = Searched(monkeypatch, models, Engine([BFLOAT16]), [100] * 4, others=[graph])
    assert [measured.problem for measured in found.of(GRAPH)] == ["an operator is unknown"]
    assert found.of(GRAPH_INT8) == []
    assert found.best.settings == FLOAT32


def test_when_the_time_is_up_nothing_new_is_begun_and_the_best_so_far_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates = {FLOAT32: 100.0, GRAPH: 200.0, GRAPH_INT8: 500.0}
    graph = make_graph_engine(GRAPH_INT8)
    found = Searched(
        monkeypatch, by_settings(rates), Engine([]), [100] * 4, others=[graph], seconds=5.0
    )
    [skipped] = found.of(GRAPH_INT8)
    assert skipped.problem == "not tried: the time is up; give more --minutes"
    assert found.best.settings == GRAPH


def test_of_two_that_are_about_as_fast_the_simpler_one_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another engine is one departure, and another dtype of it a second; torch's own dtype is one."""
    graph = make_graph_engine(GRAPH_INT8)
    for int8, kept in ((205.0, GRAPH), (210.0, GRAPH_INT8)):
        rates = {FLOAT32: 100.0, GRAPH: 200.0, GRAPH_INT8: int8}
        found = Searched(monkeypatch, by_settings(rates), Engine([]), [100] * 4, others=[graph])
        assert found.best.settings == kept


def test_what_loads_longer_than_it_saves_on_a_run_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twice as fast, and 3 s longer to load: of 1,000 rows it saves 5 s, of 500 rows 2.5 s."""

    def models(settings: Settings) -> Model:
        if settings.engine == "graph":
            return Model(200, load_seconds=3.0)
        return Model(100)

    for rows, kept in ((1_000, GRAPH), (500, FLOAT32), (None, GRAPH)):
        graph = make_graph_engine()
        found = Searched(monkeypatch, models, Engine([]), [100] * 4, rows=rows, others=[graph])
        assert found.best.settings == kept
        if kept == FLOAT32:
            problem = "loads for 3.0 s to save 2.5 s of 500 rows; pays from 601 rows"
            assert found.of(GRAPH)[-1].problem == problem


def test_a_job_that_names_an_engine_gets_the_best_of_that_one_however_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates = {FLOAT32: 100.0, GRAPH: 60.0, GRAPH_INT8: 80.0}
    graph = make_graph_engine(GRAPH_INT8)
    found = Searched(monkeypatch, by_settings(rates), graph, [100] * 4, may_keep_reference=False)
    assert [measured.settings for measured in found.kept] == [GRAPH_INT8, GRAPH]
    assert found.best.speed_up == pytest.approx(0.8)


def test_where_nothing_of_it_may_be_kept_the_job_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def models(settings: Settings) -> Model:
        return Model(100, 9.0 if settings.engine == "graph" else 0.0)

    with pytest.raises(JobError, match=r"nothing of the engine that model\.engine names"):
        Searched(monkeypatch, models, make_graph_engine(), [100] * 4, may_keep_reference=False)


def test_an_engine_behind_the_finalists_is_kept_for_machines_without_those(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last = Settings(8, engine="last")
    rates = {FLOAT32: 100.0, BFLOAT16: 300.0, GRAPH: 200.0, GRAPH_INT8: 500.0, last: 110.0}
    others = [make_graph_engine(GRAPH_INT8), make_graph_engine(name="last")]
    found = Searched(monkeypatch, by_settings(rates), Engine([BFLOAT16]), [100] * 40, others=others)
    kept = {measured.settings: measured for measured in found.kept}
    assert list(kept) == [GRAPH_INT8, BFLOAT16, GRAPH, last, FLOAT32]
    assert kept[last].speed_up == pytest.approx(1.1)
    # It was slow, so that not all of the sample was needed at first.
    assert kept[last].agreement is not None
    assert kept[last].agreement.rows == found.trials.scores.good_rows
