"""How long several threads spend on something, all together."""

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
        self._began[threading.get_ident()] = time.perf_counter_ns()

    def __exit__(self, *_: object) -> None:
        began = self._began.pop(threading.get_ident())
        self.nanoseconds += time.perf_counter_ns() - began
