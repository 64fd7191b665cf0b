"""Measure how long several threads spend on something, all together."""

from dataclasses import dataclass, field
import threading
import time


@dataclass
class Stopwatch:
    """A block whose time is added up, whichever thread runs it.

    Attributes:
        nanoseconds: the sum over all threads.
    """

    nanoseconds: int = 0
    _began: dict[int, int] = field(default_factory=dict, init=False)

    def __enter__(self) -> None:
        # By thread: several may be inside at the same time.
        thread = threading.get_ident()
        self._began[thread] = time.perf_counter_ns()

    def __exit__(self, *_: object) -> None:
        thread = threading.get_ident()
        began = self._began.pop(thread)
        self.nanoseconds += time.perf_counter_ns() - began
