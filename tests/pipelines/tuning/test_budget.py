"""The time that tuning may take, on a clock of the test's own."""

from pipelines.tuning.budget import Budget
from tests.pipelines.tuning.clocked_bench import Clock


def test_the_search_has_seven_tenths_of_the_time_from_when_it_began() -> None:
    clock = Clock()
    clock.now = 1_000.0
    budget = Budget(100.0, clock.perf_counter)
    assert budget.spent == 0
    assert not budget.is_search_over
    clock.now += 69
    assert not budget.is_search_over
    clock.now += 1
    assert budget.is_search_over
    assert budget.spent == 70


def test_the_reference_may_score_the_sample_for_a_fifteenth_of_it() -> None:
    assert Budget(300.0).sample_seconds == 20.0


def test_it_is_over_when_all_of_it_is_spent() -> None:
    clock = Clock()
    budget = Budget(100.0, clock.perf_counter)
    clock.now = 99.0
    assert not budget.is_over
    clock.now = 100.0
    assert budget.is_over
