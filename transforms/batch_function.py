"""A pure function of batches as a DoFn, which counts its rows and its time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from transforms.batches import PredictionBatch, RawBatch
from transforms.timing import StageTimes, Timed


@dataclass
class BatchFunction(beam.DoFn):
    """Call a function on every batch.

    Attributes:
        function: batch -> batch, with its parameters bound.
        stage: what its time is counted as.
    """

    function: Callable[[Any], Any]
    stage: str

    def setup(self) -> None:
        self._timed = Timed(self.stage)

    def process(self, batch: Any) -> Iterator[Any]:
        times = _get_times(batch)
        with self._timed(len(batch)), times.clocked(self.stage):
            result = self.function(batch)
        # Outside the block: while it yields, later stages work on the result.
        yield result


def _get_times(batch: RawBatch | PredictionBatch) -> StageTimes:
    raw = batch.raw if isinstance(batch, PredictionBatch) else batch
    return raw.times
