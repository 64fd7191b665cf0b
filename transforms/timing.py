"""Where the time goes: nanoseconds by stage.

The nanoseconds travel with a batch into the manifest, because workers write that before any runner
knows its counters, and because a run that was interrupted must tell of both its parts.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
import resource
import sys
import threading
import time
from typing import TypeAlias

# Nanoseconds, or other counts.
ByStage: TypeAlias = dict[str, int]
_SECOND = 1e9
# `decode` is a part of preprocessing, and `copy` (to a device and back) one of predicting; `wait` is
# what no stage took.
STAGES = ("read", "decode", "preprocess", "copy", "model", "postprocess", "write", "wait")


# Of a thread, because a worker has several, each in a stage of its own.
class _GivenAway(threading.local):
    """Nanoseconds that the stage of this thread has given to other stages."""

    def __init__(self) -> None:
        self.nanoseconds: ByStage = {}


_given_away = _GivenAway()


@dataclass
class StageTimes:
    """What some rows took on their way.

    Attributes:
        since: nanoseconds of the wall clock when they were asked for; not of a monotonic one, because
            they may end in another process, on another machine.
        nanoseconds: by stage, so far.
    """

    since: int = field(default_factory=time.time_ns)
    nanoseconds: ByStage = field(default_factory=dict)

    def add(self, stage: str, nanoseconds: int) -> None:
        """Count time of one stage."""
        before = self.nanoseconds.get(stage, 0)
        self.nanoseconds[stage] = before + nanoseconds

    def add_before(self, stage: str, nanoseconds: int) -> None:
        """Count time of one stage that passed just before these rows were asked for."""
        self.add(stage, nanoseconds)
        self.since -= nanoseconds

    def join(self, others: "StageTimes") -> None:
        """Count what other rows of the same unit took."""
        self.since = min(self.since, others.since)
        for stage, nanoseconds in others.nanoseconds.items():
            self.add(stage, nanoseconds)

    @contextmanager
    def clocked(self, stage: str) -> Iterator[None]:
        """Count the time that the block takes, but for what it gives to other stages.

        Blocks do not nest. Nothing is counted of one that raises.
        """
        given: ByStage = {}
        _given_away.nanoseconds = given
        started = time.perf_counter_ns()
        yield
        ended = time.perf_counter_ns()
        taken = ended - started
        given_away = sum(given.values())
        own = taken - given_away
        self.add(stage, own)
        for other, nanoseconds in given.items():
            self.add(other, nanoseconds)

    def seconds(self, until: int) -> dict[str, float]:
        """Return the seconds of every stage.

        Args:
            until: nanoseconds of the wall clock; what no stage took of the time until then was spent
                waiting.
        """
        # All stages: also those that took no time.
        spent = {stage: self.nanoseconds.get(stage, 0) for stage in STAGES}
        passed = until - self.since
        accounted = sum(spent.values())
        waited = passed - accounted
        # Wall clocks are set back, and those of two machines differ.
        spent["wait"] = max(0, waited)
        seconds = {}
        for stage, nanoseconds in spent.items():
            exact = nanoseconds / _SECOND
            seconds[stage] = round(exact, 6)
        return seconds


def give_time(stage: str, nanoseconds: int) -> None:
    """Give time of the stage that this thread is in to another one.

    Nobody asks for that of a thread that is in none.

    Args:
        stage: the other stage.
        nanoseconds: the time that it took.
    """
    given = _given_away.nanoseconds
    before = given.get(stage, 0)
    given[stage] = before + nanoseconds


@contextmanager
def clocked_within(stage: str) -> Iterator[None]:
    """Give the time that the block takes, also when it raises, to this stage."""
    started = time.perf_counter_ns()
    try:
        yield
    finally:
        ended = time.perf_counter_ns()
        give_time(stage, ended - started)


def clocked_as(stage: str) -> AbstractContextManager[object]:
    """Count the time of a preprocessing step as that of its stage."""
    # That stage is being clocked already, around all steps.
    if stage == "preprocess":
        return nullcontext()
    return clocked_within(stage)


def peak_memory() -> int:
    """Return the most memory that this process ever had, in bytes."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    # macOS counts in bytes, Linux in KiB.
    if sys.platform == "darwin":
        return usage.ru_maxrss
    return usage.ru_maxrss << 10
