"""A pure function of batches as a DoFn, which counts its rows and its time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from configs.errors import crashes_as_errors
from transforms.on_beam import Timed


@dataclass
class BatchFunction(beam.DoFn):
    """Call a function on every batch.

    Attributes:
        function: batch -> batch, with its parameters bound; what it is given knows its own times.
        stage: what its time is counted as.
    """

    function: Callable[[Any], Any]
    stage: str

    def setup(self) -> None:
        self._timed = Timed(self.stage)

    def process(self, batch: Any) -> Iterator[Any]:
        timed = self._timed(len(batch))
        # A worker's thread that ends otherwise than by an Exception would leave the runner waiting.
        with timed, batch.times.clocked(self.stage), crashes_as_errors():
            result = self.function(batch)
        # Outside the block: while it yields, later stages work on the result.
        yield result
