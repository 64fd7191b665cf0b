"""Which settings are tried and which is kept, on a clock of the test's own."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from configs.tolerance import Tolerance
from model_zoo.engines.settings import LinearScale, Settings
from pipelines.tuning import search
from pipelines.tuning.measured import Measured
from pipelines.tuning.search import Tuning
from tests.pipelines.tuning.clocked_bench import (
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
        best: what it returned.
        told: every result, in order.
        tuning, loader, engine: what it went through.
    """

    def __init__(self, patch: pytest.MonkeyPatch, models: Models, engine: Engine, parts: list[int], fixed: bool = True, rows: int | None = None, compile_seconds: float = 0.0) -> None:  # fmt: skip
        self.loader = Loader(models)
        bench = make_bench(self.loader, parts)
        bench = replace(bench, rows=rows, find_compile_seconds=lambda: compile_seconds)
        use_clock(patch, self.loader.clock)
        patch.setattr(search, "find_engine", lambda _: engine)
        self.told: list[Measured] = []
        self.tuning = Tuning(bench, TOLERANCE, "sigmoid", 0.5, self.told.append)
        self.best = self.tuning.search(8, fixed, ())
        self.engine = engine

    def of(self, settings: Settings) -> list[Measured]:
        return [measured for measured in self.told if measured.settings == settings]


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


def test_what_cannot_be_loaded_or_measured_is_told_with_its_reason_and_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = by_dtype(float32=Model(100), bfloat16=Model(1, refusal="no such units"), int8=Model(9))
    engine = Engine([BFLOAT16, Settings(8, dtype="int8")])
    engine.scales = {"int8": "nothing to quantise"}
    found = Searched(monkeypatch, models, engine, [100] * 4)
    assert found.best.settings == FLOAT32
    assert [measured.problem for measured in found.told] == ["", "no such units", "nothing to quantise"]  # fmt: skip
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


def test_no_mini_batch_of_no_rows_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = Loader(lambda _: Model(100))
    bench = make_bench(loader, [100])
    use_clock(monkeypatch, loader.clock)
    monkeypatch.setattr(search, "find_engine", lambda _: Engine([]))
    told: list[Measured] = []
    Tuning(bench, TOLERANCE, "sigmoid", 0.5, told.append).search(2, False, ())
    assert [measured.settings.batch_rows for measured in told] == [2, 1, 4, 8]


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
    rates = {FLOAT32: 100.0, BFLOAT16: 500.0, FLOAT16: 400.0, CHANNELS_LAST: 300.0, COMPILED: 200.0}

    def models(settings: Settings) -> Model:
        return Model(rates[replace(settings, batch_rows=8)] + settings.batch_rows / 100)

    engine = Engine([*kinds, replace(BFLOAT16, batch_rows=64)])
    found = Searched(monkeypatch, models, engine, [100] * 4)
    # The bench loads again what takes turns: float32 first, then the fastest of each kind.
    last = [settings for settings, _ in found.loader.loaded[-4:]]
    assert last == [FLOAT32, replace(BFLOAT16, batch_rows=64), FLOAT16, CHANNELS_LAST]
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
    assert found.tuning.measured == [found.told[0], whole]


def layers(count: int) -> tuple[LinearScale, ...]:
    return tuple(LinearScale(f"layer {number}", 1.0, 0, (1.0,)) for number in range(count))


@pytest.mark.parametrize(
    ("allowed", "tried"),
    [(8, [8]), (7, [8, 6, 7]), (6, [8, 6, 7]), (5, [8, 6, 5]), (4, [8, 6, 5]), (0, [8, 6, 5])],
)
def test_the_number_of_int8_layers_is_found_by_halving(
    allowed: int, tried: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def models(settings: Settings) -> Model:
        return Model(100, 9.0 if len(settings.linear_scales) > allowed else 0.0)

    engine = Engine([Settings(8, dtype="int8_linear")])
    engine.scales = {"int8_linear": layers(8)}
    found = Searched(monkeypatch, models, engine, [100] * 4)
    counts = [len(measured.settings.linear_scales) for measured in found.tuning.measured[1:]]
    assert counts == tried
    assert all(measured.settings.linear_scales == layers(8)[:count] for measured, count in zip(found.tuning.measured[1:], counts, strict=True))  # fmt: skip


def test_fewer_layers_are_not_tried_of_what_was_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    models = by_dtype(float32=Model(100), int8_linear=Model(1))
    engine = Engine([Settings(8, dtype="int8_linear")])
    engine.scales = {"int8_linear": layers(8)}
    found = Searched(monkeypatch, models, engine, [100] * 4)
    assert [measured.problem for measured in found.tuning.measured[1:]] == ["slow: given up after its first piece"]  # fmt: skip


def test_what_an_engine_measures_holds_for_all_layouts_of_a_dtype(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    int8 = Settings(8, dtype="int8")
    tried = [int8, replace(int8, layout="channels_last"), BFLOAT16]
    engine = Engine(tried)
    found = Searched(monkeypatch, lambda _: Model(100), engine, [100] * 4)
    assert engine.calibrated == [int8, BFLOAT16]
    assert [measured.settings for measured in found.tuning.measured[1:]] == tried


def test_an_engine_measures_on_rows_that_float32_scores_in_mini_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 4 parts with 10 rows, of which 3 have no score, it asks for 25 rows in mini-batches of 8."""
    engine = Engine([Settings(8, dtype="int8")])
    loader = Loader(lambda _: Model(100))
    bench = make_bench(loader, [10] * 4)
    for part in bench.sample.inputs:
        part["x"][:3] = np.nan
    use_clock(monkeypatch, loader.clock)
    monkeypatch.setattr(search, "find_engine", lambda _: engine)
    Tuning(bench, TOLERANCE, "sigmoid", 0.5, lambda _: None).search(8, True, ())
    assert engine.batches == [7, 7, 7, 4]


def test_of_a_slow_model_only_what_it_scores_in_20_seconds_is_scored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Searched(monkeypatch, lambda _: Model(100), Engine([]), [100] * 40)
    assert found.tuning.bench.sample.rows == 2_000
    slower = Searched(monkeypatch, lambda _: Model(1), Engine([]), [100] * 40)
    assert slower.tuning.bench.sample.rows == 600


@pytest.mark.parametrize(
    ("rows", "seconds", "problem"),
    [
        # 10 rows/s as it is and 40 compiled: 1,000 rows take 100 s and 25 s.
        (1_000, 60.0, ""),
        (1_000, 80.0, "compiles for 80.0 s to save 75.0 s of 1,000 rows"),
        (1_000, 75.0, "compiles for 75.0 s to save 75.0 s of 1,000 rows"),
        # Of CSV nobody knows the rows, and of old machine code how long it took.
        (None, 80.0, ""),
        (1_000, 0.0, ""),
    ],
)
def test_compiling_must_save_more_than_it_takes(
    rows: int | None, seconds: float, problem: str, monkeypatch: pytest.MonkeyPatch
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
    assert searched.best.settings == (FLOAT32 if problem else COMPILED)


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
