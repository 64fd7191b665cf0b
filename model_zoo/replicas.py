"""One model on several devices: each thread that scores is given one of them for good, in turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
import threading
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass
class Replicas:
    """Scorers of the same model, one per device, called as one of them."""

    scorers: Sequence[Any]

    def __post_init__(self) -> None:
        self._of_thread = threading.local()
        self._turn: Callable[[], int] = count().__next__

    def __call__(self, inputs: Arrays) -> Arrays:
        """Score rows on the calling thread's device."""
        result: Arrays = self._mine(inputs)
        return result

    def take_copy_nanoseconds(self) -> int:
        """As that of MiniBatches."""
        return int(self._mine.take_copy_nanoseconds())

    @property
    def placement(self) -> str:
        """What the calling thread computes with."""
        return str(self._mine.placement)

    @property
    def _mine(self) -> Any:
        if not hasattr(self._of_thread, "scorer"):
            self._of_thread.scorer = self.scorers[self._turn() % len(self.scorers)]
        return self._of_thread.scorer
