"""What settings cost and save in a whole run, on a clock of the test's own."""

import pytest

from model_zoo.engines.settings import Settings
from pipelines.tuning.measured import Measured
from pipelines.tuning.night import LoadTimes, Night
from tests.pipelines.tuning.clocked_bench import Loader, Model

FLOAT32 = Settings(8)
GRAPH = Settings(8, engine="graph")
COMPILED = Settings(8, compiled=True)


def make_loads(compile_seconds: float = 0.0, **load_seconds: float) -> tuple[LoadTimes, Loader]:
    """Return what loads models, which takes so long by the name of their engine."""

    def models(settings: Settings) -> Model:
        return Model(1.0, load_seconds=load_seconds.get(settings.engine, 0.0))

    loader = Loader(models)
    return LoadTimes(loader, loader.clock.perf_counter, lambda: compile_seconds), loader


def test_what_was_never_loaded_takes_no_time() -> None:
    loads, _ = make_loads(torch=2.0)
    assert loads.find_seconds(FLOAT32) == 0


def test_to_start_a_library_counts_for_all_settings_of_its_engine() -> None:
    """The first load of a process starts it: 3 s, and 1 s for each load."""
    clocked, loader = make_loads(graph=1.0)
    seconds = iter([4.0, 1.0, 1.0])

    def load(settings: Settings, workers: int) -> object:
        loader.clock.now += next(seconds)
        return None

    clocked.load = load  # type: ignore[assignment]
    clocked(GRAPH, 1)
    other = Settings(16, engine="graph")
    clocked(other, 1)
    assert clocked.find_seconds(GRAPH) == pytest.approx(4.0)
    assert clocked.find_seconds(other) == pytest.approx(4.0)
    assert clocked.find_seconds(FLOAT32) == 0


def test_of_several_loads_the_fastest_counts() -> None:
    """Another one met a busy moment."""
    clocked, loader = make_loads()
    seconds = iter([1.5, 1.0, 0.4, 0.7])

    def load(settings: Settings, workers: int) -> object:
        loader.clock.now += next(seconds)
        return None

    clocked.load = load  # type: ignore[assignment]
    for _ in range(3):
        clocked(GRAPH, 1)
    # What starting takes is told by the first two.
    assert clocked.find_seconds(GRAPH) == pytest.approx(0.5 + 0.4)


@pytest.mark.parametrize(("seconds", "loads"), [(4.9, 2), (5.1, 1)])
def test_what_loads_long_is_not_loaded_twice_to_see_that(seconds: float, loads: int) -> None:
    clocked, loader = make_loads(graph=seconds)
    clocked(GRAPH, 1)
    assert len(loader.loaded) == loads
    assert clocked.find_seconds(GRAPH) == pytest.approx(seconds)


def test_machine_code_of_an_earlier_run_costs_what_it_took_to_make() -> None:
    clocked, _ = make_loads(compile_seconds=30.0, torch=1.0)
    clocked(FLOAT32, 1)
    clocked(COMPILED, 1)
    assert clocked.find_seconds(FLOAT32) == pytest.approx(1.0)
    assert clocked.find_seconds(COMPILED) == pytest.approx(30.0)


def weigh(rows: int | None, rate: float, load_seconds: float) -> str:
    """Return why a graph is not worth loading beside float32: 100 rows/s, and 1 s to load."""
    loads, _ = make_loads(torch=1.0, graph=load_seconds)
    for settings in (FLOAT32, GRAPH):
        loads(settings, 1)
    float32 = Measured(FLOAT32, 100.0)
    graph = Measured(GRAPH, rate)
    return Night(rows, loads).weigh(graph, [float32, graph]).problem


def test_so_many_rows_must_save_what_it_loads_longer_or_nearly() -> None:
    """Twice as fast saves 5 ms a row: 3 s longer pay from 600 rows on, and 1 ms more may be a busy moment."""
    assert weigh(601, 200.0, 4.0) == ""
    assert weigh(501, 200.0, 4.0) == ""
    assert weigh(499, 200.0, 4.0) == "loads for 3.0 s to save 2.5 s of 499 rows; pays from 601 rows"
    assert weigh(100, 200.0, 4.0) == "loads for 3.0 s to save 0.5 s of 100 rows; pays from 601 rows"


def test_loads_that_differ_by_little_are_as_long() -> None:
    """Of one row nothing is saved."""
    assert weigh(1, 200.0, 1.09) == ""
    assert weigh(1, 200.0, 1.11).startswith("loads for 0.1 s to save 0.0 s of 1 rows")


def test_where_nobody_knows_the_rows_nothing_is_weighed() -> None:
    assert weigh(None, 200.0, 1_000.0) == ""


def test_what_is_slower_or_loads_sooner_is_not_given_up_for_its_loading() -> None:
    assert weigh(10, 50.0, 4.0) == ""
    assert weigh(10, 200.0, 0.5) == ""


def test_of_others_that_load_sooner_the_one_with_the_shortest_run_counts() -> None:
    """Of 1,000 rows float32 takes 11 s in all and the middle one 7 s; 6.5 s are not worth 3 s more to load."""
    middle = Settings(8, engine="middle")
    loads, _ = make_loads(torch=1.0, middle=2.0, graph=5.0)
    for settings in (FLOAT32, middle, GRAPH):
        loads(settings, 1)
    kept = [Measured(FLOAT32, 100.0), Measured(middle, 200.0), Measured(GRAPH, 300.0)]
    night = Night(1_000, loads)
    assert night.weigh(kept[1], kept).problem == ""
    assert night.weigh(kept[2], kept).problem.startswith("loads for 3.0 s to save 1.7 s of")
    assert night.weigh(kept[2], kept[::2]).problem == ""


def test_a_problem_that_is_known_stays() -> None:
    loads, _ = make_loads()
    beyond = Measured(GRAPH, 1.0, problem="beyond the tolerance")
    assert Night(1, loads).weigh(beyond, [beyond]) is beyond


@pytest.mark.parametrize(
    ("rows", "refused"), [(None, False), (499, True), (500, True), (501, False)]
)
def test_compiling_is_not_begun_for_rows_that_take_less_than_any_compiler(
    rows: int | None, refused: bool
) -> None:
    loads, _ = make_loads()
    problem = Night(rows, loads).refuse_compiling(100.0)
    assert bool(problem) is refused
    if refused:
        assert problem == (
            f"not tried: {rows:,} rows take 5.0 s, and compiling takes longer; "
            "say --rows_per_night where a run has more"
        )


@pytest.mark.parametrize(("rate", "load_seconds"), [(0.0, 4.0), (200.0, 1.0), (200.0, 0.9)])
def test_without_a_rate_or_as_soon_loaded_there_is_nothing_to_weigh(
    rate: float, load_seconds: float
) -> None:
    assert weigh(10, rate, load_seconds) == ""


def test_others_without_a_rate_are_nothing_to_be_compared_with() -> None:
    loads, _ = make_loads(torch=1.0, graph=4.0)
    for settings in (FLOAT32, GRAPH):
        loads(settings, 1)
    graph = Measured(GRAPH, 200.0)
    assert Night(10, loads).weigh(graph, [Measured(FLOAT32, 0.0), graph]) is graph


@pytest.mark.parametrize(("rows", "seconds"), [(None, 0.01), (0, 3.0), (100, 4.0)])
def test_a_run_takes_as_long_as_to_start_to_load_and_to_score(
    rows: int | None, seconds: float
) -> None:
    loads, _ = make_loads(torch=1.0)
    loads(FLOAT32, 1)
    assert Night(rows, loads).find_run_seconds(Measured(FLOAT32, 100.0)) == pytest.approx(seconds)


def test_machine_code_that_is_no_faster_is_not_worth_compiling() -> None:
    loads, _ = make_loads(compile_seconds=30.0)
    for settings in (FLOAT32, COMPILED):
        loads(settings, 1)
    compiled = Measured(COMPILED, 100.0)
    problem = Night(1_000, loads).weigh(compiled, [Measured(FLOAT32, 100.0), compiled]).problem
    assert problem == "compiles for 30.0 s to save 0.0 s of 1,000 rows"
