"""One model on several devices: every call goes to the device that fewest other threads use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import os
import threading

from model_zoo.arrays import Arrays
from model_zoo.scoring.scored import Scored


@dataclass
class Replicas:
    """Scorers of the same model, one per device, called as one of them.

    A thread stays on its device while nobody else is there; with as many threads as devices each
    has one of its own.
    """

    scorers: Sequence[Callable[[Arrays], Scored]]

    def __post_init__(self) -> None:
        self._of_thread = threading.local()
        # Over the counts: choosing a device and being counted there is one step.
        self._lock = threading.Lock()
        devices = len(self.scorers)
        self._computing = [0] * devices
        # Worker processes know nothing of each other: their numbers spread them over the devices.
        self._first = os.getpid() % devices

    def __call__(self, inputs: Arrays) -> Scored:
        """Score rows on one of the devices; raises as its scorer does."""
        with self._lock:
            number = self._find_freest()
            self._of_thread.number = number
            self._computing[number] += 1
        try:
            return self.scorers[number](inputs)
        finally:
            with self._lock:
                self._computing[number] -= 1

    def _find_freest(self) -> int:
        """Return the device with the fewest threads; of several the thread's own, or the next one."""
        own: int = getattr(self._of_thread, "number", self._first)
        count = len(self.scorers)
        # From its own on, and round: of equals, `min` takes the first.
        steps = range(count)
        in_turn = [(own + step) % count for step in steps]
        return min(in_turn, key=self._computing.__getitem__)
