"""Requests that fail and are sent again, or are not, by a client that does what it is told."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from configs.errors import ModelError, Refusal, ServerError
from model_zoo.arrays import Arrays
from model_zoo.remote import calls as module
from model_zoo.remote.calls import Calls, Pace
from model_zoo.remote.client import Description
from model_zoo.remote.failures import (
    BusyError,
    DeniedError,
    GoneError,
    MissingError,
    RefusedError,
    RemoteError,
    TooLargeError,
    WrongError,
)
from model_zoo.remote.target import Target

ROWS = {"x": np.array([[1, 2], [3, 4]], "float32")}
Answer = Callable[[Arrays], Arrays]


def add_up(inputs: Arrays) -> Arrays:
    return {"y": inputs["x"].sum(axis=1)}


@dataclass
class ToldClient:
    """A client of a server in memory.

    Attributes:
        next: failures that come before any answer.
        infer_rows: what answers then.
    """

    next: deque[RemoteError] = field(default_factory=deque)
    infer_rows: Answer = add_up
    ids: list[str] = field(default_factory=list)

    def describe(self) -> Description:
        self._fail()
        return Description("told", "1", {}, {})

    def infer(self, inputs: Arrays, request_id: str) -> Arrays:
        self.ids.append(request_id)
        self._fail()
        return self.infer_rows(inputs)

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def _fail(self) -> None:
        if self.next:
            raise self.next.popleft()


class Clock:
    """A clock that goes on by as long as somebody waits, and by nothing else: a busy machine changes nothing.

    Attributes:
        now: seconds.
    """

    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def condition(self, lock: threading.Lock) -> threading.Condition:
        """Return one for a single thread, whose wait nobody ends early."""
        condition = threading.Condition(lock)
        condition.wait = self.wait  # type: ignore[method-assign]
        return condition

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None, "it would wait for ever"
        self.now += timeout
        return False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all calls that a test makes."""
    clock = Clock()
    threads = SimpleNamespace(Lock=threading.Lock, Condition=clock.condition)
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "threading", threads)
    return clock


def make_calls(
    client: ToldClient,
    patience_seconds: float = 5.0,
    max_in_flight: int = 4,
    pace: Pace = Pace(0.001, 0.01),  # noqa: B008 - a frozen value
) -> Calls:
    target = Target(
        "oip-grpc",
        "grpc://told:1",
        "sums",
        patience_seconds=patience_seconds,
        max_in_flight=max_in_flight,
    )
    return Calls(client, target, pace)


PASSING = [
    BusyError("busy"),
    BusyError("busy", 0.001),
    GoneError("gone"),
    RefusedError("oh", is_certain=False),
]


@pytest.mark.parametrize("failure", PASSING)
def test_what_passes_is_sent_again_as_it_was(failure: RemoteError) -> None:
    client = ToldClient(deque([failure, failure]))
    np.testing.assert_array_equal(make_calls(client)(ROWS)["y"], [3, 7])
    assert len(client.ids) == 3
    assert len(set(client.ids)) == 1


def test_each_request_has_a_name_of_its_own() -> None:
    client = ToldClient()
    for calls in (make_calls(client), make_calls(client)):
        calls(ROWS)
        calls(ROWS)
    assert len(set(client.ids)) == 4


ENDS: list[tuple[RemoteError, type[Exception]]] = [
    (RefusedError("no"), RefusedError),
    (TooLargeError("no"), TooLargeError),
    (WrongError("no"), ModelError),
    (DeniedError("no"), ServerError),
    (MissingError("no"), ModelError),
]


@pytest.mark.parametrize(("failure", "kind"), ENDS)
def test_what_does_not_pass_is_not_sent_again(failure: RemoteError, kind: type[Exception]) -> None:
    client = ToldClient(deque([failure]))
    with pytest.raises(kind, match="no"):
        make_calls(client)(ROWS)
    assert len(client.ids) == 1


@pytest.mark.parametrize("failure", [WrongError("no"), DeniedError("no")])
def test_nothing_is_sent_after_what_ends_the_run(failure: RemoteError) -> None:
    client = ToldClient(deque([failure]))
    calls = make_calls(client)
    for _ in range(2):
        with pytest.raises(Refusal, match=r"^no$"):
            calls(ROWS)
    assert len(client.ids) == 1


def test_rows_are_blamed_for_what_may_be_the_servers_fault_after_three_tries() -> None:
    client = ToldClient(deque([RefusedError("oh", is_certain=False)] * 9))
    with pytest.raises(RefusedError):
        make_calls(client)(ROWS)
    assert len(client.ids) == 3


def test_rows_are_blamed_soon(clock: Clock) -> None:
    """Each row that a server fails on is found by asking some ten times so."""
    client = ToldClient(deque([RefusedError("oh", is_certain=False)] * 9))
    calls = make_calls(client, pace=Pace(0.1, 5))
    begin = clock.now
    with pytest.raises(RefusedError):
        calls(ROWS)
    # At most 0.01 and 0.02 s, and half of it at least.
    assert 0.015 <= clock.now - begin <= 0.03 + 1e-9


def test_a_server_that_refuses_rows_is_not_down(clock: Clock) -> None:
    client = ToldClient()
    calls = make_calls(client, patience_seconds=0.15)
    begin = clock.now
    while clock.now - begin < 0.25:
        client.next.extend([GoneError("gone"), RefusedError("no")])
        with pytest.raises(RefusedError):
            calls(ROWS)


def test_a_model_that_is_not_loaded_yet_is_waited_for_once_it_has_answered() -> None:
    client = ToldClient()
    calls = make_calls(client)
    calls(ROWS)
    client.next.extend([MissingError("not yet")] * 3)
    np.testing.assert_array_equal(calls(ROWS)["y"], [3, 7])


def test_a_model_that_is_not_there_is_told_at_once() -> None:
    client = ToldClient(deque([MissingError("no such model")]))
    with pytest.raises(ModelError, match="no such model"):
        make_calls(client).describe()


def test_a_server_that_is_not_up_yet_is_waited_for() -> None:
    client = ToldClient(deque([GoneError("refused")] * 2))
    assert make_calls(client).describe().server == "told"


@dataclass
class Down:
    """What a server that is down answers, and how often it was asked."""

    asked: int = 0

    def __call__(self, inputs: Arrays) -> Arrays:
        self.asked += 1
        raise GoneError("connection refused")


def test_a_server_that_is_down_ends_the_run(clock: Clock) -> None:
    down = Down()
    calls = make_calls(ToldClient(infer_rows=down), patience_seconds=0.05)
    with pytest.raises(ServerError) as refusal:
        calls(ROWS)
    assert str(refusal.value) == (
        "connection refused; nothing but failures for 0.05 seconds: "
        "start the same command again when the server is back"
    )
    asked = down.asked
    # At first after 1, 2, 4 and 8 ms, then every 10, or after half of it.
    assert 8 <= asked <= 15
    with pytest.raises(ServerError):
        calls(ROWS)
    assert down.asked == asked


def test_whoever_waits_is_told_that_the_server_is_down() -> None:
    calls = make_calls(ToldClient(infer_rows=Down()), patience_seconds=0.05, max_in_flight=1)
    begin = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(calls, ROWS) for _ in range(8)]
        for call in waiting:
            with pytest.raises(ServerError):
                call.result()
    # Who is not woken waits for ever.
    assert time.monotonic() - begin < 60


def test_a_server_that_is_back_in_time_goes_on(clock: Clock) -> None:
    client = ToldClient()
    calls = make_calls(client, patience_seconds=0.15)
    # Longer in all than it may be gone at once.
    for _ in range(30):
        client.next.extend([GoneError("gone")] * 3)
        np.testing.assert_array_equal(calls(ROWS)["y"], [3, 7])


def test_a_batch_that_fails_while_others_go_through_ends_the_run() -> None:
    def fail_on_five(inputs: Arrays) -> Arrays:
        if len(inputs["x"]) == 5:
            raise GoneError("took too long")
        return add_up(inputs)

    calls = make_calls(ToldClient(infer_rows=fail_on_five), patience_seconds=0.05)
    ended = threading.Event()

    def go_on() -> None:
        # They end with the run, too.
        with suppress(ServerError):
            while not ended.is_set():
                calls(ROWS)

    other = threading.Thread(target=go_on)
    other.start()
    try:
        # Where the others had no turn for so long, it is the server's fault.
        ends = "took too long; (the same batch failed for|nothing but failures)"
        with pytest.raises(ServerError, match=ends):
            calls({"x": np.zeros((5, 2), "float32")})
    finally:
        ended.set()
        other.join()


@dataclass
class Meter:
    """Counts how many requests are open at a time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    now: int = 0
    most: int = 0

    def __call__(self, inputs: Arrays) -> Arrays:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        answer = add_up(inputs)
        with self.lock:
            self.now -= 1
        return answer


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_requests_are_open_than_may_be(most: int) -> None:
    meter = Meter()
    calls = make_calls(ToldClient(infer_rows=meter), max_in_flight=most)
    batches = [{"x": np.full((2, 2), number, "float32")} for number in range(200)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(calls, batches))
    assert [answer["y"][0] for answer in answers] == [2 * number for number in range(200)]
    assert 1 <= meter.most <= most


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks() -> None:
    client = ToldClient(deque([BusyError("later", 0.05)]))
    calls = make_calls(client)
    begin = time.monotonic()
    calls(ROWS)
    assert time.monotonic() - begin >= 0.05


def test_a_busy_server_is_sent_less_at_a_time() -> None:
    client = ToldClient()
    calls = make_calls(client, max_in_flight=4)
    assert calls.in_flight == 2
    client.next.append(BusyError("later"))
    calls(ROWS)
    assert calls.in_flight == 1


def test_what_is_no_failure_of_a_server_is_raised_as_it_is() -> None:
    def refuse(inputs: Arrays) -> Arrays:
        raise Refusal("no token")

    with pytest.raises(Refusal, match="no token"):
        make_calls(ToldClient(infer_rows=refuse))(ROWS)
