"""ScoredBatch -> WrittenPart: one attempt at a unit, stored under a name of its own.

Files are written, synced, opened again to count their rows, and only then does the unit's
done-record name them. A unit's batches are expected in order from one bundle; where a runner breaks
that, contiguous rows become a part of their own each time, and publishing puts the parts together.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import threading
import time

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from configs.errors import PublishError
from storage.run_folder import RunFolder
from transforms.batches import ScoredBatch, WorkUnit, WrittenPart
from transforms.formats.output import FileFormat
from transforms.on_beam import Timed
from transforms.output.done_record import finish_unit
from transforms.output.part_writer import PartWriter
from transforms.summaries.summary import Summaries

_MEND = "make room or mend the folder, and run again to resume"


@dataclass
class WriteShards(beam.PTransform):
    """Store every unit's scored and rejected rows below the run's temporary folder.

    Attributes:
        summaries: what is computed beside the scores, of which a part stores its own.
    """

    run: RunFolder
    file_format: FileFormat
    summaries: Summaries = ()

    def expand(self, batches: beam.PCollection[ScoredBatch]) -> beam.PCollection[WrittenPart]:
        write = _WriteUnits(self.run, self.file_format, self.summaries)
        return batches | beam.ParDo(write).with_output_types(WrittenPart)


@dataclass
class _WriteUnits(beam.DoFn):
    run: RunFolder
    file_format: FileFormat
    summaries: Summaries = ()

    def setup(self) -> None:
        self._timed = Timed("write")
        self._open: dict[int, PartWriter] = {}
        self._recording_nanoseconds = 0
        # When a run fails elsewhere, Beam tears this down in another thread while it still works.
        self._lock = threading.RLock()

    def start_bundle(self) -> None:
        # What a bundle left that failed.
        self._abandon()

    def process(self, batch: ScoredBatch) -> Iterator[WrittenPart]:
        # The clock last: to wait for the lock is not to write.
        with self._lock, self._storing(batch.unit), self._timed(batch.rows_in):
            written = self._write(batch)
            parts = list(written)
        # Outside the lock: while it yields, later stages are at work.
        yield from parts

    def finish_bundle(self) -> Iterator[WindowedValue]:
        # Beam wants what a bundle's end gives with its window.
        window = GlobalWindow()
        timestamp = window.max_timestamp()
        for unit, writer in list(self._open.items()):
            with self._lock, self._storing(writer.unit):
                part = writer.close(last=False)
                del self._open[unit]
            yield WindowedValue(part, timestamp, [window])

    def teardown(self) -> None:
        self._abandon()

    @contextmanager
    def _storing(self, unit: WorkUnit) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._abandon()
            raise PublishError(
                f"{self.run.output}: {unit.shard} cannot be stored there: {error}; {_MEND}"
            ) from error

    def _abandon(self) -> None:
        """Let go of unfinished files, of this bundle or of one that failed.

        Nobody will name them.
        """
        with self._lock:
            for writer in self._open.values():
                writer.abandon()
            self._open = {}

    def _write(self, batch: ScoredBatch) -> Iterator[WrittenPart]:
        """Write a batch, and yield the parts that it ends."""
        index = batch.unit.index
        first_row = batch.id.first_row
        writer = self._open.get(index)
        if writer is not None and writer.next_row != first_row:
            # A runner has broken the order: what came so far is a part of its own.
            yield writer.close(last=False)
            del self._open[index]
            writer = None
        if writer is None:
            writer = PartWriter(
                self.run,
                unit=batch.unit,
                first_row=first_row,
                file_format=self.file_format,
                summaries=self.summaries,
            )
            # Of the unit before, whose own record could not hold what it took to write it.
            writer.add_recording(self._recording_nanoseconds)
            self._recording_nanoseconds = 0
            self._open[index] = writer
        writer.write(batch)
        if batch.last:
            part = writer.close(last=True)
            del self._open[index]
            started = time.perf_counter_ns()
            parts = finish_unit(self.run, batch.unit, part)
            self._recording_nanoseconds = time.perf_counter_ns() - started
            yield from parts
