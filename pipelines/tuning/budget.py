"""The time that tuning may take."""

from collections.abc import Callable
from dataclasses import dataclass, field
import time

# Afterwards the fastest settings take turns, with several numbers of workers.
_SEARCH_SHARE = 0.7
# The reference scores the whole sample, and most others do so once.
_SAMPLE_SHARE = 1 / 15


@dataclass
class Budget:
    """The time that tuning may take, from when this was made.

    Attributes:
        seconds: all of it, about: what has begun is brought to its end.
        clock: tells the time in seconds.
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    @property
    def spent(self) -> float:
        """Return the seconds that are gone."""
        return self.clock() - self._began

    @property
    def sample_seconds(self) -> float:
        """Return how long the reference may score the sample."""
        return self.seconds * _SAMPLE_SHARE

    @property
    def is_search_over(self) -> bool:
        """Tell whether nothing new may be begun before the last comparison."""
        return self.spent >= self.seconds * _SEARCH_SHARE

    @property
    def is_over(self) -> bool:
        """Tell whether the last comparison takes no more turns than it needs."""
        return self.spent >= self.seconds
