"""The clock that travels with a batch: every nanosecond counts once, in the stage that took it."""

from collections.abc import Iterator
import pickle
import threading
import time

from apache_beam.metrics.execution import MetricsContainer
from apache_beam.metrics.metricbase import MetricName
from apache_beam.runners.worker.statesampler import (
    StateSampler,
    get_current_tracker,
    set_current_tracker,
)
from apache_beam.utils.counters import CounterFactory
import pytest

from tests.support.builders import raw_batch
from transforms.on_beam import Timed
from transforms.timing import STAGES, StageTimes, clocked_as, clocked_within, give_time, peak_memory


def work(milliseconds: int = 2) -> None:
    until = time.perf_counter_ns() + milliseconds * 1_000_000
    while time.perf_counter_ns() < until:
        pass


def test_what_a_stage_gives_away_is_not_counted_twice() -> None:
    times = StageTimes()
    started = time.perf_counter_ns()
    with times.clocked("preprocess"):
        with clocked_within("decode"):
            work(20)
        work()
    elapsed = time.perf_counter_ns() - started
    assert times.nanoseconds["decode"] >= 20_000_000
    assert times.nanoseconds["preprocess"] >= 2_000_000
    assert sum(times.nanoseconds.values()) <= elapsed


def test_a_device_hands_over_what_it_measured() -> None:
    times = StageTimes()
    with times.clocked("model"):
        work()
        give_time("copy", 500_000)
        give_time("copy", 500_000)
    assert times.nanoseconds["copy"] == 1_000_000
    assert times.nanoseconds["model"] >= 1_000_000


def test_a_block_that_raises_has_taken_its_time_too() -> None:
    """Rows that a step cannot take leave the batch, and the step is tried again with the others."""
    times = StageTimes()

    def decode_badly() -> None:
        with clocked_within("decode"):
            work()
            raise KeyError

    with times.clocked("preprocess"):
        with pytest.raises(KeyError):
            decode_badly()
        with clocked_within("decode"):
            work()
    assert times.nanoseconds["decode"] >= 4_000_000


def test_another_thread_and_what_nobody_clocks_count_nowhere() -> None:
    give_time("decode", 1)
    times = StageTimes()
    with times.clocked("preprocess"):
        thread = threading.Thread(target=give_time, args=("decode", 1))
        thread.start()
        thread.join()
    give_time("decode", 1)
    assert set(times.nanoseconds) == {"preprocess"}


def test_what_no_stage_took_was_spent_waiting() -> None:
    unit = StageTimes(since=3_000_000_000)
    unit.join(
        StageTimes(since=1_000_000_000, nanoseconds={"read": 2_000_000_000, "model": 1_000_000_000})
    )
    unit.join(StageTimes(since=2_000_000_000, nanoseconds={"read": 500_000_000}))
    expected = {**dict.fromkeys(STAGES, 0.0), "read": 2.5, "model": 1.0}
    assert unit.seconds(until=6_000_000_000) == expected | {"wait": 1.5}
    assert unit.seconds(until=2_000_000_000) == expected, (
        "stages that work side by side take more than the clock says"
    )


def test_hours_are_told_to_the_microsecond() -> None:
    times = StageTimes(since=0, nanoseconds={"read": 36_000_123_456_499})
    assert times.seconds(until=72_000_123_456_499) == {
        **dict.fromkeys(STAGES, 0.0),
        "read": 36_000.123456,
        "wait": 36_000.0,
    }


def test_time_before_the_first_row_is_no_waiting() -> None:
    times = StageTimes(since=5_000_000_000)
    times.add_before("write", 2_000_000_000)
    seconds = times.seconds(until=6_000_000_000)
    assert (times.since, seconds["write"], seconds["wait"]) == (3_000_000_000, 2.0, 1.0)


def test_the_clock_goes_with_its_batch() -> None:
    batch = raw_batch({"id": [1, 2]})
    batch.times.add("read", 7)
    other = pickle.loads(pickle.dumps(batch))
    assert other.times == batch.times
    other.times.add("read", 1)
    assert batch.times.nanoseconds == {"read": 7}


@pytest.fixture
def sampler() -> Iterator[StateSampler]:
    """What a runner has around a step, in this thread."""
    made, before = StateSampler("", CounterFactory()), get_current_tracker()
    set_current_tracker(made)
    yield made
    set_current_tracker(before)


def test_a_runner_sees_batches_rows_and_microseconds(sampler: StateSampler) -> None:
    seen = MetricsContainer("step")
    with sampler.scoped_state("step", "process", metrics_container=seen):
        timed = Timed("read")
        timed.add(7, 3_000_999)
        timed.add(0, 1_000)
        started = time.perf_counter_ns()
        with timed(5):
            work(20)
        elapsed = (time.perf_counter_ns() - started) // 1_000
    told = {
        n: seen.get_counter(MetricName("score", f"read_{n}")).get_cumulative()
        for n in ("rows", "batches", "microseconds")
    }
    assert (told["rows"], told["batches"]) == (12, 3)
    assert 3_001 + 20_000 <= told["microseconds"] <= 3_001 + elapsed


def test_peak_memory_is_in_bytes() -> None:
    block = bytearray(b"x") * (200 << 20)
    assert len(block) <= peak_memory() < 1 << 40


def test_a_step_of_the_stage_that_is_clocked_already_gives_nothing_away() -> None:
    times = StageTimes()
    with times.clocked("preprocess"):
        with clocked_as("preprocess"):
            work()
        with clocked_as("decode"):
            work()
    assert times.nanoseconds["preprocess"] >= 2_000_000
    assert times.nanoseconds["decode"] >= 2_000_000
