"""When a mini-batch is given up, by a clock that goes on as somebody waits."""

from concurrent import futures
from concurrent.futures import Future
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from configs.errors import WorkerError
from model_zoo.arrays import Arrays
from model_zoo.scoring import watchdog as module
from model_zoo.scoring.call import Call
from model_zoo.scoring.watchdog import Watchdog

BEGAN = 128.0
# More than any test here needs.
MOST_LOOKS = 2_000
OUTPUTS = {"y": np.ones(1)}


class Clock:
    """A clock, and work that ends a time of its own after it began."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, takes: float, goes_on: float = 1.0) -> None:
        self.goes_on = goes_on
        self.now, self.waited = BEGAN, list[float]()
        self.ends_at, self.go = BEGAN + takes, threading.Event()
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(module, "futures", SimpleNamespace(wait=self.wait))

    def wait(self, work: list[Future[Arrays]], timeout: float) -> object:
        self.waited.append(timeout)
        assert len(self.waited) < MOST_LOOKS, "it would wait for ever"
        self.now += timeout * self.goes_on
        if self.now < self.ends_at:
            return SimpleNamespace(done=set())
        self.go.set()
        return futures.wait(work)

    def work(self) -> Arrays:
        self.go.wait()
        return OUTPUTS


def call_that_began(*seconds_ago: float) -> Call:
    call = Call(rows=4, batch_rows=4)
    call.began.update({number: BEGAN - ago for number, ago in enumerate(seconds_ago)})
    return call


@pytest.mark.parametrize(
    ("limit", "takes"), [(5.0, 4.5), (0.25, 0.125), (600.0, 599.5), (1.0, 0.5)]
)
def test_a_mini_batch_has_all_of_its_time(
    limit: float, takes: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, takes)
    watchdog = Watchdog(limit)
    assert watchdog.wait_for(call_that_began(0.0), clock.work) is OUTPUTS
    watchdog.refuse_lost()
    # It looks once a second whether the device is lost, and no oftener.
    assert max(clock.waited) <= 1.0
    assert len(clock.waited) <= takes + 2


@pytest.mark.parametrize(
    ("limit", "ago"), [(5.0, (0.0,)), (0.25, (0.0,)), (5.0, (1.0, 2.5, 0.0)), (5.0, (7.0,))]
)
def test_the_oldest_mini_batch_is_given_up_when_its_time_is_over(
    limit: float, ago: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, 1_000.0)
    watchdog = Watchdog(limit)
    try:
        with pytest.raises(WorkerError, match=f"^the model took longer than {limit:g} s for one"):
            watchdog.wait_for(call_that_began(*ago), clock.work)
    finally:
        clock.go.set()
    assert clock.now == max(BEGAN, BEGAN + limit - max(ago))
    with pytest.raises(WorkerError, match=r"^in another batch, the model took longer than"):
        watchdog.refuse_lost()


def test_a_mini_batch_that_ended_gives_way_to_a_younger_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch, 12.0)
    call = call_that_began(0.0)
    wait = clock.wait

    def wait_and_go_on(work: list[Future[Arrays]], timeout: float) -> object:
        found = wait(work, timeout)
        # One after the other, each within its time.
        if clock.now >= call.began[0] + 5.0:
            call.began[0] = clock.now
        return found

    monkeypatch.setattr(module, "futures", SimpleNamespace(wait=wait_and_go_on))
    assert Watchdog(5.0).wait_for(call, clock.work) is OUTPUTS


def test_a_call_without_a_mini_batch_under_way_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch, 60.0)
    assert Watchdog(5.0).wait_for(call_that_began(), clock.work) is OUTPUTS


def test_each_thread_has_one_companion_that_works_for_it() -> None:
    watchdog, seen = Watchdog(60.0), list[str]()

    def work() -> Arrays:
        seen.append(threading.current_thread().name)
        assert threading.current_thread().daemon
        return OUTPUTS

    def call_twice() -> None:
        for _ in range(2):
            watchdog.wait_for(call_that_began(), work)

    call_twice()
    own = watchdog._of_thread.companion
    call_twice()
    assert watchdog._of_thread.companion is own
    assert seen == ["scorer-watched-0"] * 4


@pytest.mark.parametrize("goes_on", [0.5, 0.75])
def test_a_wait_that_ends_early_takes_none_of_a_mini_batchs_time(
    goes_on: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As clocks do that count in large steps."""
    clock = Clock(monkeypatch, 4.96875, goes_on)
    assert Watchdog(5.0).wait_for(call_that_began(0.0), clock.work) is OUTPUTS


def test_a_lost_device_ends_the_wait_of_every_other_call(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, 1_000.0)
    watchdog = Watchdog(600.0)
    watchdog.lost = WorkerError("the device is gone")
    try:
        with pytest.raises(WorkerError, match=r"^the device is gone$"):
            watchdog.wait_for(call_that_began(0.0), clock.work)
    finally:
        clock.go.set()
    # It looked once, and not until its own time was over.
    assert clock.waited == [1.0]


def fail_under(watchdog: Watchdog, call: Call, error: Exception) -> None:
    """Fail in a block that is watched."""
    with watchdog.watch(call):
        assert len(call.began) == 1
        raise error


def test_of_what_fails_in_a_block_only_the_devices_faults_end_everything() -> None:
    watchdog, call = Watchdog(60.0), call_that_began()
    with pytest.raises(ValueError, match="of one row"):
        fail_under(watchdog, call, ValueError("of one row"))
    assert not call.began
    watchdog.refuse_lost()
    fault = RuntimeError("CUDA error: an illegal memory access was encountered")
    with pytest.raises(WorkerError, match="the device failed under the model: "):
        fail_under(watchdog, call, fault)
    assert not call.began
    with pytest.raises(WorkerError, match="the device failed under the model: "):
        watchdog.refuse_lost()
