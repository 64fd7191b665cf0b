"""Settings and numbers of workers in turns: which are kept, in which order, and who leaves early, on a clock of the test's own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from model_zoo.arrays import Arrays
from model_zoo.engines.settings import Settings
from pipelines.tuning import turns as turns_module
from pipelines.tuning.bench import Bench
from pipelines.tuning.budget import Budget
from pipelines.tuning.measured import Measured, count_departures
from pipelines.tuning.night import LoadTimes, Night
from pipelines.tuning.sample import ReadRows
from pipelines.tuning.turns import Comparison, compare_in_turns, rank
from tests.pipelines.tuning.clocked_bench import Clock, Loader, Model, make_bench, use_clock

FLOAT32 = Settings(8)
BFLOAT16 = Settings(8, "bfloat16")
INT8 = Settings(8, "int8")
GRAPH = Settings(8, engine="graph")
GRAPH_INT8 = Settings(8, "int8", engine="graph")
# Rows/s with so many workers.
Rates = Mapping[tuple[Settings, int], float]


@pytest.mark.parametrize(
    ("settings", "departures"),
    [
        (FLOAT32, 0),
        # Any size of mini-batches is as simple as another.
        (Settings(64), 0),
        (BFLOAT16, 1),
        (GRAPH, 1),
        (GRAPH_INT8, 2),
        (Settings(8, "bfloat16", "channels_last", compiled=True), 3),
    ],
)
def test_each_way_in_which_settings_differ_is_a_departure(
    settings: Settings, departures: int
) -> None:
    assert count_departures(settings, FLOAT32) == departures


def make_night(rows: int | None = None, load_seconds: Mapping[Settings, float] = {}) -> Night:
    """Return runs of so many rows, and models that take so long to load."""
    loader = Loader(lambda settings: Model(1.0, load_seconds=load_seconds.get(settings, 0.0)))
    loads = LoadTimes(loader, loader.clock.perf_counter)
    for settings in load_seconds:
        loads(settings, 1)
    return Night(rows, loads)


@pytest.mark.parametrize(
    ("gains", "order"),
    [
        ({FLOAT32: 1.0, GRAPH: 3.0, GRAPH_INT8: 4.0}, [GRAPH_INT8, GRAPH, FLOAT32]),
        # Within 3 % the simpler one is kept, and the faster one comes next.
        ({FLOAT32: 1.0, GRAPH: 3.9, GRAPH_INT8: 4.0}, [GRAPH, GRAPH_INT8, FLOAT32]),
        ({FLOAT32: 1.0, GRAPH: 1.02}, [FLOAT32, GRAPH]),
        # Of equally simple ones the faster.
        ({FLOAT32: 1.0, GRAPH: 2.0, BFLOAT16: 2.01}, [BFLOAT16, GRAPH, FLOAT32]),
        ({GRAPH: 0.5, GRAPH_INT8: 0.6}, [GRAPH_INT8, GRAPH]),
        ({FLOAT32: 1.0}, [FLOAT32]),
    ],
)
def test_the_fastest_is_kept_and_of_a_tie_the_simplest(
    gains: dict[Settings, float], order: list[Settings]
) -> None:
    compared = [Measured(settings, 100 * gain, gain) for settings, gain in gains.items()]
    ranked = rank(compared, Measured(FLOAT32, 100.0, 1.0), make_night())
    assert [measured.settings for measured in ranked] == order


@pytest.mark.parametrize(
    ("rates", "kept"),
    [
        # Each with the number of workers that is fastest with it, and the first of them kept.
        (
            {(FLOAT32, 2): 100, (FLOAT32, 1): 150, (INT8, 2): 110, (INT8, 1): 160},
            [(INT8, 1), (FLOAT32, 1)],
        ),
        # One per core is simpler than another number, and other scores are less simple than that.
        ({(INT8, 2): 158, (INT8, 1): 160, (FLOAT32, 2): 100}, [(INT8, 2), (FLOAT32, 2)]),
        ({(INT8, 2): 160, (INT8, 1): 150, (FLOAT32, 1): 175}, [(FLOAT32, 1), (INT8, 2)]),
        # What is left out of turns may take a tenth.
        ({(INT8, 2): 100, (INT8, 1): 109}, [(INT8, 2)]),
        ({(INT8, 2): 100, (INT8, 1): 115}, [(INT8, 1)]),
    ],
)
def test_workers_are_part_of_what_is_kept(
    rates: Rates, kept: list[tuple[Settings, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_clock(monkeypatch, Clock(), cores=2)
    compared = [Measured(settings, rate, workers=n) for (settings, n), rate in rates.items()]
    ranked = rank(compared, Measured(FLOAT32, 100.0), make_night())
    assert [(measured.settings, measured.workers) for measured in ranked] == kept


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        # It loads 1 s longer; 1,000 rows take 10 s in float32 and 5 s in the graph.
        (1_000, GRAPH),
        # 1 s and 1.5 s.
        (100, FLOAT32),
        # 2.06 s and 2.03 s: not worth other scores.
        (206, FLOAT32),
        # 2.15 s and 2.08 s, and 2 s to start with each.
        (215, FLOAT32),
        (None, GRAPH),
    ],
)
def test_what_loading_takes_counts_as_in_a_run(rows: int | None, kept: Settings) -> None:
    night = make_night(rows, {FLOAT32: 0.0, GRAPH: 1.0})
    compared = [Measured(FLOAT32, 100.0), Measured(GRAPH, 200.0)]
    # The engine's first load is that of its library, too.
    assert rank(compared, compared[0], night)[0].settings == kept


def test_the_fastest_once_it_is_loaded_may_be_the_last() -> None:
    """Of 100 rows: 2.5 s in float32, 1 s in 8 bits, and 1.5 s in the graph, which loads for 1 s of that."""
    night = make_night(100, {FLOAT32: 0.0, INT8: 0.0, GRAPH: 1.0})
    compared = [Measured(FLOAT32, 40.0), Measured(GRAPH, 200.0), Measured(INT8, 100.0)]
    ranked = rank(compared, compared[0], night)
    assert [measured.settings for measured in ranked] == [INT8, GRAPH, FLOAT32]


@dataclass
class Machine:
    """A machine with workers of such rates, and all turns that were taken on it.

    Attributes:
        rates: rows/s by settings and workers, in every round, or round by round.
        seconds: that a turn takes away from the budget.
    """

    rates: Callable[[Settings, int, int], float]
    cores: int = 2
    seconds: float = 0.0
    turns: list[tuple[Settings, int]] = field(default_factory=list)
    warmed: list[tuple[Settings, int]] = field(default_factory=list)

    def compare(
        self, patch: pytest.MonkeyPatch, alone: Mapping[Settings, float], minutes: float = 1e9
    ) -> Comparison:
        """Compare settings that are so fast alone with float32, which may be one of them."""
        loader = Loader(lambda _: Model(1.0))
        clock = Clock()
        use_clock(patch, clock, self.cores)
        patch.setattr(turns_module, "time_pass", self._time_pass)
        patch.setattr(turns_module, "_take_piece", self._take_piece)
        patch.setattr(turns_module, "_find_whole_rate", lambda *_: 100.0)
        load = _Named(loader, self)
        bench = make_bench(loader, [20] * 20)
        bench = replace(bench, load=load)
        finalists = [Measured(settings, rate) for settings, rate in alone.items()]
        self.clock = clock
        budget = Budget(minutes, clock.perf_counter)
        reference = Measured(FLOAT32, 100.0)
        return compare_in_turns(bench, reference, finalists, make_night(), budget)

    def _take_piece(
        self, bench: Bench, score: Settings, pieces: Sequence[ReadRows], number: int
    ) -> None:
        self.warmed.append((score, pieces[number].length))

    def _time_pass(self, take_piece: object, parts: int, workers: int) -> float:
        score = take_piece.args[1]  # type: ignore[attr-defined]
        taken = self.turns.count((score, workers))
        self.turns.append((score, workers))
        self.clock.now += self.seconds
        pieces = take_piece.args[2]  # type: ignore[attr-defined]
        rows: int = sum(piece.length for piece in pieces)
        return rows / self.rates(score, workers, taken)


@dataclass
class _Named:
    """Loads nothing: what computes is known by its settings."""

    loader: Loader
    machine: Machine

    def __call__(self, settings: Settings, workers: int) -> object:
        return settings


def steady(rates: Rates) -> Callable[[Settings, int, int], float]:
    return lambda settings, workers, _: rates[settings, workers]


def rounds_of(comparison: Comparison) -> dict[tuple[Settings, int | None], int]:
    return {(m.settings, m.workers): m.rounds for m in comparison.turns}


# Alone int8 is much faster than the rest. Two workers wait for each other; one does not.
ALONE = {INT8: 300.0, GRAPH: 200.0, FLOAT32: 100.0}
CONTENDED = {
    (INT8, 2): 102.0, (INT8, 1): 140.0, (GRAPH, 2): 110.0, (GRAPH, 1): 125.0, (FLOAT32, 2): 100.0, (FLOAT32, 1): 112.0,
}  # fmt: skip


def test_settings_are_compared_with_the_workers_that_are_fastest_with_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With two workers the graph would win."""
    found = Machine(steady(CONTENDED)).compare(monkeypatch, ALONE)
    best = [(m.settings, m.workers) for m in found.best]
    assert best == [(INT8, 1), (GRAPH, 1), (FLOAT32, 1)]
    # Over float32 as fast as that can be.
    assert [m.speed_up for m in found.best] == pytest.approx([140 / 112, 125 / 112, 1.0])
    assert [m.rate for m in found.best] == pytest.approx([140, 125, 112])


@pytest.mark.parametrize(("rate", "gain"), [(109.9, 1.2), (110.1, 120 / 110.1), (90.0, 1.2)])
def test_gains_are_over_the_reference_with_the_workers_that_it_would_be_kept_with(
    rate: float, gain: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {(INT8, 2): 120.0, (INT8, 1): 90.0, (FLOAT32, 2): 100.0, (FLOAT32, 1): rate}
    found = Machine(steady(rates)).compare(monkeypatch, {INT8: 300.0, FLOAT32: 100.0})
    assert found.best[0].speed_up == pytest.approx(gain)


def test_the_first_call_is_in_no_turn_and_has_a_mini_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(steady(CONTENDED))
    machine.compare(monkeypatch, ALONE)
    # With either number of workers.
    expected = [(settings, 8) for settings in (INT8, FLOAT32, GRAPH) for _ in range(2)]
    assert machine.warmed == expected


def test_all_that_took_turns_is_told_the_fastest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Machine(steady(CONTENDED)).compare(monkeypatch, ALONE)
    rates = sorted(CONTENDED.values(), reverse=True)
    assert [m.rate for m in found.turns] == pytest.approx(rates)
    assert rounds_of(found)[INT8, 1] == 12
    assert rounds_of(found)[GRAPH, 1] == 5


def test_a_number_of_workers_that_is_far_behind_with_the_extremes_is_not_tried_with_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates = {**CONTENDED, (INT8, 2): 90.0, (FLOAT32, 2): 80.0}
    machine = Machine(steady(rates))
    found = machine.compare(monkeypatch, ALONE)
    assert (GRAPH, 2) not in machine.turns
    assert (GRAPH, 1) in machine.turns
    # All are measured by the first one, which therefore stays.
    assert rounds_of(found)[INT8, 2] == 12
    assert rounds_of(found)[FLOAT32, 2] == 3
    assert found.best[0].settings == INT8


def test_one_that_is_near_with_either_of_them_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {**CONTENDED, (INT8, 2): 90.0}
    machine = Machine(steady(rates))
    machine.compare(monkeypatch, ALONE)
    assert (GRAPH, 2) in machine.turns


@pytest.mark.parametrize(
    ("rate", "rounds"),
    [
        (24.0, 1),
        (26.0, 2),
        (49.0, 2),
        (51.0, 3),
        (69.0, 3),
        (71.0, 4),
        (84.0, 4),
        (86.0, 5),
        (91.0, 9),
    ],
)
def test_who_is_far_behind_leaves(
    rate: float, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {(INT8, 1): 100.0, (GRAPH, 1): rate, (FLOAT32, 1): 95.0}
    found = Machine(steady(rates), cores=1).compare(monkeypatch, ALONE)
    assert rounds_of(found) == {(INT8, 1): 12, (FLOAT32, 1): 12, (GRAPH, 1): rounds}


def test_a_busy_moment_slows_all_of_a_round_and_decides_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every other round is four times as slow, and once the machine is busy in the middle of one."""

    def rate(settings: Settings, workers: int, taken: int) -> float:
        quiet = CONTENDED[settings, workers]
        if settings == INT8 and taken == 4:
            return quiet / 3
        return quiet / (1 + 3 * (taken % 2))

    found = Machine(rate).compare(monkeypatch, {INT8: 300.0, FLOAT32: 100.0})
    assert found.best[0].settings == INT8
    assert found.best[0].speed_up == pytest.approx(140 / 112)


def test_when_the_time_is_up_a_median_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(steady(CONTENDED), seconds=1.0)
    found = machine.compare(monkeypatch, ALONE, minutes=1.0)
    assert rounds_of(found)[INT8, 1] == 6
    assert rounds_of(found)[GRAPH, 1] == 3


def test_the_reference_takes_turns_where_it_may_not_be_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Machine(steady(CONTENDED)).compare(monkeypatch, {INT8: 300.0})
    assert [m.settings for m in found.best] == [INT8]
    assert found.best[0].speed_up == pytest.approx(140 / 112)
    assert (FLOAT32, 1) in rounds_of(found)


def test_a_sample_of_one_piece_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = Loader(lambda _: Model(100.0))
    use_clock(monkeypatch, loader.clock)
    bench = make_bench(loader, [8])
    only = Measured(FLOAT32, 100.0)
    budget = Budget(1e9, loader.clock.perf_counter)
    found = compare_in_turns(bench, only, [only], make_night(), budget)
    assert [m.rate for m in found.best] == pytest.approx([100])


def test_a_turn_has_as_many_rows_as_are_preprocessed_in_its_time_once_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Preprocessing takes 0.1 s for a mini-batch, and as long for many."""
    loader = Loader(lambda _: Model(1000.0))
    use_clock(monkeypatch, loader.clock)
    bench = make_bench(loader, [1000] * 4)

    def prepare(rows: ReadRows) -> Arrays:
        loader.clock.sleep(0.1)
        return bench.sample.prepare(rows)

    slow = replace(bench, sample=replace(bench.sample, prepare=prepare))
    rate = turns_module._find_whole_rate(slow, Measured(FLOAT32, 1000.0))
    # Pieces of 8 rows, then of half of what a second has, 37 and 125.
    assert rate == pytest.approx(125 / 0.225, rel=0.02)


def test_the_rows_of_a_turn_of_a_slow_model_are_looked_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loader = Loader(lambda _: Model(4.0))
    use_clock(monkeypatch, loader.clock)
    bench = make_bench(loader, [1000] * 4)
    assert turns_module._find_whole_rate(bench, Measured(FLOAT32, 4.0)) == 4.0
    assert loader.calls == [(FLOAT32, 8)] * 2
