"""Sends batches to a server: several at a time, again where that may help, and no longer than is of use.

Threads call; each waits for its answer. Of them so many are in flight as the server is best kept busy
with (`in_flight.py`). What fails is sent again, with the same bytes, after a wait that grows and is of
random length, so that a server that comes back is not met by everybody at once. Once it has given
nothing but failures for a while, nothing more is sent (`circuit.py`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
import itertools
import random
import threading
import time
from typing import TypeVar
import uuid

from model_zoo.arrays import Arrays, count_rows
from model_zoo.remote.circuit import Circuit, give_up
from model_zoo.remote.client import Client, Description
from model_zoo.remote.failures import (
    BusyError,
    GoneError,
    MissingError,
    RefusedError,
    RemoteError,
    make_refusal,
)
from model_zoo.remote.in_flight import Limit
from model_zoo.remote.target import Target

T = TypeVar("T")
# A failure of the server itself passes; a row that it fails on does not.
_TRIES_BEFORE_ROWS_ARE_BLAMED = 3
# Of the usual waits: a row that a server fails on is found by halving its batch ten times or so, and
# each half is tried so often. That is not to take seconds for each such row.
_WAIT_BEFORE_ROWS_ARE_BLAMED = 0.1


@dataclass(frozen=True)
class Pace:
    """How long is waited before a request is sent again: twice as long each time."""

    first_wait_seconds: float = 0.1
    longest_wait_seconds: float = 5.0


class Calls:
    """A server's model, called with batches; several threads call at the same time."""

    def __init__(self, client: Client, target: Target, pace: Pace | None = None) -> None:
        """Take what is called, and how.

        Args:
            client: of the target.
            target: how many requests may be open, and for how long failures are borne.
            pace: None for the usual one.
        """
        self._client = client
        self._target = target
        self._pace = pace or Pace()
        self._limit = Limit(target.max_in_flight)
        self._circuit = Circuit(target.patience_seconds)
        self._has_answered = False
        self._open_requests = 0
        self._quiet_until = 0.0
        # Of all that threads here share.
        self._lock = threading.Lock()
        # Whoever waits for its turn. One answer lets one of them in: to wake all of them for it would
        # take more of a core than the request.
        self._freed = threading.Condition(self._lock)
        # Whoever waits to try again.
        self._failed = threading.Condition(self._lock)
        # So that a server's log tells the requests of two workers apart.
        self._name = uuid.uuid4().hex[:12]
        self._numbers = itertools.count()

    @property
    def in_flight(self) -> int:
        """Return how many requests may be open now."""
        return self._limit.limit

    def describe(self) -> Description:
        """Return what the server says of its model.

        Raises:
            Refusal: it does not answer, or has no such model.
        """
        try:
            return self._try_again(self._client.describe)
        except RemoteError as failure:
            raise make_refusal(failure) from failure

    def __call__(self, inputs: Arrays) -> Arrays:
        """Return the model's outputs for a batch, as `Client.infer`.

        Args:
            inputs: one array (rows, ...) per input.

        Raises:
            RefusedError: the server refuses these rows; fewer of them may go through.
            Refusal: it is down, wrong, or does not let us in, and the run is to end.
        """
        request_id = f"{self._name}-{next(self._numbers)}"
        send = partial(self._send, inputs, request_id)
        try:
            return self._try_again(send)
        except RefusedError:
            raise
        except RemoteError as failure:
            # Nor is anything else to be sent that waits for its turn.
            self._circuit.open(failure)
            with self._lock:
                self._wake_all()
            raise make_refusal(failure) from failure

    def close(self) -> None:
        """Let all connections go."""
        self._client.close()

    def _try_again(self, send: Callable[[], T]) -> T:
        begin = time.monotonic()
        for tries in itertools.count(1):
            self._circuit.refuse_when_open()
            sent = time.monotonic()
            try:
                answer = send()
            except RemoteError as failure:
                self._note_failure(failure, sent)
                if not self._is_worth_a_try(failure, tries):
                    raise
                self._refuse_when_late(failure, begin)
                self._wait(failure, tries)
                continue
            self._circuit.note_answer()
            self._has_answered = True
            return answer
        raise AssertionError

    def _is_worth_a_try(self, failure: RemoteError, tries: int) -> bool:
        if isinstance(failure, RefusedError):
            return not failure.is_certain and tries < _TRIES_BEFORE_ROWS_ARE_BLAMED
        if isinstance(failure, MissingError):
            # A server that was started again loads its models one after the other.
            return self._has_answered
        return isinstance(failure, BusyError | GoneError)

    def _note_failure(self, failure: RemoteError, sent: float) -> None:
        if isinstance(failure, RefusedError):
            # It is there, and reads what it is sent.
            self._circuit.note_answer()
        if not isinstance(failure, BusyError | GoneError):
            return
        now = time.monotonic()
        self._circuit.note_failure(failure, sent, now)
        with self._lock:
            self._limit.note_overload(sent, now, isinstance(failure, BusyError))
            if isinstance(failure, BusyError) and failure.retry_after_seconds:
                # It asks everybody, and not whoever happened to be told.
                seconds = min(failure.retry_after_seconds, self._target.patience_seconds)
                self._quiet_until = max(self._quiet_until, now + seconds)
            # Who waits for the server's leave need not wait for one that is down.
            self._wake_all()

    def _wait(self, failure: RemoteError, tries: int) -> None:
        longest = self._pace.first_wait_seconds * 2 ** min(tries - 1, 30)
        longest = min(longest, self._pace.longest_wait_seconds)
        if isinstance(failure, RefusedError):
            longest *= _WAIT_BEFORE_ROWS_ARE_BLAMED
        # Jitter, and no secret.
        seconds = longest * random.uniform(0.5, 1)  # noqa: S311
        end = time.monotonic() + seconds
        with self._failed:
            while not self._circuit.is_open and (rest := end - time.monotonic()) > 0:
                self._failed.wait(rest)

    def _send(self, inputs: Arrays, request_id: str) -> Arrays:
        with self._in_flight():
            outputs = self._client.infer(inputs, request_id)
            rows = count_rows(inputs)
            with self._lock:
                now = time.monotonic()
                self._limit.note_answer(rows, self._open_requests, now)
        return outputs

    @contextmanager
    def _in_flight(self) -> Iterator[None]:
        """Wait until one more request may be open, and let the next one in when it is answered."""
        with self._freed:
            # Of one look at the clock: of two, a pause that ends between them leaves nothing to wait for,
            # and where no other request is open nobody would end the wait.
            while not self._may_send(now := time.monotonic()):
                rest = self._quiet_until - now
                self._freed.wait(rest if rest > 0 else None)
            self._circuit.refuse_when_open()
            self._open_requests += 1
        try:
            yield
        finally:
            with self._freed:
                self._open_requests -= 1
                # More than one where the limit has grown.
                self._freed.notify(max(1, self._limit.limit - self._open_requests))

    def _wake_all(self) -> None:
        """Let everybody who waits look again, by whoever holds the lock."""
        self._freed.notify_all()
        self._failed.notify_all()

    def _may_send(self, now: float) -> bool:
        if self._circuit.is_open:
            return True
        is_quiet = now < self._quiet_until
        return not is_quiet and self._open_requests < self._limit.limit

    def _refuse_when_late(self, failure: RemoteError, begin: float) -> None:
        """End the run for a batch that fails while others go through, as one that takes too long."""
        self._circuit.refuse_when_open()
        seconds = time.monotonic() - begin
        if seconds >= self._target.patience_seconds:
            raise give_up(failure, f"the same batch failed for {seconds:.0f} seconds")
