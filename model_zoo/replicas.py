"""One model on several devices: every call goes to a device that computes for the fewest other threads."""

from collections.abc import Sequence
from dataclasses import dataclass
import os
import threading
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass
class Replicas:
    """Scorers of the same model, one per device, called as one of them.

    A thread stays on its device while nobody else is there; with as many threads as devices each has one of its own. Worker processes,
    which know nothing of each other, begin with different devices.
    """

    scorers: Sequence[Any]

    def __post_init__(self) -> None:
        self._of_thread = threading.local()
        self._lock = threading.Lock()
        self._computing = [0] * len(self.scorers)
        self._first = os.getpid() % len(self.scorers)

    def __call__(self, inputs: Arrays) -> Arrays:
        """Score rows on one of the devices."""
        with self._lock:
            number = self._of_thread.number = self._freest()
            self._computing[number] += 1
        try:
            result: Arrays = self.scorers[number](inputs)
        finally:
            with self._lock:
                self._computing[number] -= 1
        return result

    def take_copy_nanoseconds(self) -> int:
        """As that of MiniBatches, of the device that the calling thread used last."""
        return int(self.scorers[self._mine].take_copy_nanoseconds())

    @property
    def placement(self) -> str:
        """What the calling thread used last."""
        return str(self.scorers[self._mine].placement)

    @property
    def _mine(self) -> int:
        return getattr(self._of_thread, "number", self._first)

    def _freest(self) -> int:
        """The device with the fewest threads; of several the calling thread's own, or else the next one after it."""
        own, count = self._mine, len(self.scorers)
        return min(range(count), key=lambda n: (self._computing[n], (n - own) % count))
