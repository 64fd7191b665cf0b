"""WorkUnit -> RawBatch: the projected columns of a unit's rows, in order.

A unit that has a done-record is not read again: this is what makes a killed run resume, and a
retried bundle cheap.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
import time

import apache_beam as beam
from pyarrow import Schema

from storage import files
from storage.layout import is_published
from storage.run_folder import RunFolder
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.format import Format, ReadsNamedFiles
from transforms.formats.read_ahead import read_ahead
from transforms.on_beam import Timed
from transforms.output.done_record import is_done
from transforms.output.plan_file import read_plan
from transforms.read_unit import read_unit
from transforms.timing import StageTimes


@dataclass
class ReadShards(beam.PTransform):
    """Read the plan's units and their rows.

    Attributes:
        run: the run, whose plan names the units and whose done-records name those to leave out.
        schema: the columns to read, with their types.
        format: how the input files are read.
        rows_per_batch: rows of a batch, at most.
        record: what is kept of a rejected row.
        goes_on: whether a shard that breaks costs its own rows alone.
    """

    run: RunFolder
    schema: Schema
    format: Format
    rows_per_batch: int
    record: RowRecord
    goes_on: bool = False

    def expand(self, root: beam.pvalue.PBegin) -> beam.PCollection[RawBatch]:
        read_units = beam.FlatMap(units_to_read, self.run)
        read_rows = _ReadUnits(
            run=self.run,
            schema=self.schema,
            format=self.format,
            rows_per_batch=self.rows_per_batch,
            record=self.record,
            goes_on=self.goes_on,
        )
        return (
            root
            # The plan's place and not its units, so that the graph does not grow with the input.
            | "Plan" >> beam.Create([self.run.plan])
            | "Units" >> read_units.with_output_types(WorkUnit)
            # Else one worker would read all units that this one element became.
            | "Spread" >> beam.Reshuffle()
            | "Rows" >> beam.ParDo(read_rows)
        )


def units_to_read(plan_url: str, run: RunFolder) -> list[WorkUnit]:
    """Return the units of a stored plan, largest first, or none when the run is published.

    A local runner deals them out in turn and never moves one again, so the largest must not come
    last.

    Args:
        plan_url: the stored plan.
        run: the run, whose manifest stands once it is published.

    Raises:
        InputError: neither is there.
    """
    # A runner may lose a worker after the run is published, and then starts the whole graph again.
    if is_published(run):
        return []
    plan = read_plan(plan_url)
    return sorted(plan.units, key=_rank_unit)


def _rank_unit(unit: WorkUnit) -> tuple[int, int]:
    return (-unit.bytes, unit.index)


@dataclass
class _ReadUnits(beam.DoFn):
    run: RunFolder
    schema: Schema
    format: Format
    rows_per_batch: int
    record: RowRecord
    goes_on: bool = False

    def setup(self) -> None:
        self._timed = Timed("read")

    def process(self, unit: WorkUnit) -> Iterator[RawBatch]:
        since = time.time_ns()
        started = time.perf_counter_ns()
        if is_done(self.run, unit.index):
            return
        batches = read_unit(
            unit,
            schema=self.schema,
            format=self.format,
            rows_per_batch=self.rows_per_batch,
            record=self.record,
            goes_on=self.goes_on,
        )
        # A store answers slowly enough that a thread of its own pays.
        if not _is_on_disk(unit, self.format):
            batches = read_ahead(batches)
        for batch in batches:
            nanoseconds = time.perf_counter_ns() - started
            self._timed.add(batch.rows_in, nanoseconds)
            times = StageTimes(since, {"read": nanoseconds})
            yield replace(batch, times=times)
            # Only now: while it yields, later stages work on the batch.
            since = time.time_ns()
            started = time.perf_counter_ns()


def _is_on_disk(unit: WorkUnit, format: Format) -> bool:
    """Tell whether a unit's shards, and the files that its rows name, are on this machine's disk."""
    parts = unit.members or (unit,)
    urls = [part.shard for part in parts]
    if isinstance(format, ReadsNamedFiles):
        urls += format.list_roots()
    return all(files.is_local(url) for url in urls)
