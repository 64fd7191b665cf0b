"""Read and preprocess a sample of a job's rows, as the job's own workers would."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
import time

from configs.errors import InputError
from model_zoo.arrays import Arrays, count_rows
from model_zoo.engines.machine import cores
from pipelines.planning.batch_rows import bytes_per_row
from pipelines.planning.plan import Plan
from pipelines.tuning.sample import ReadRows, Sample
from transforms.batches import FeatureBatch, RawBatch, RowRecord, WorkUnit
from transforms.preprocess import preprocess_batch
from transforms.read_unit import read_unit

# All of it is in memory, beside the scores of every setting.
_SAMPLE_BYTES = 300 << 20
# Texts differ in length: what a mini-batch of them takes is seen only where there are several.
_TEXT_MINI_BATCHES = 16
# How often a unit is read, and for how long at most: the first time finds no memory to use again, and
# others may be in a busy moment.
_READINGS = 5
_READING_SECONDS = 1.0
# Enough to see the whole input, few enough to have their files open.
_UNITS = 8


def take_sample(plan: Plan, most_rows: int) -> Sample:
    """Return rows from the beginnings of units all over the input.

    They are read in batches as large as the job's own, as far as the sample has rows for them. Of
    what the network takes a part is a mini-batch, and of texts several.

    Args:
        plan: what the job would do.
        most_rows: no more rows than about so many.

    Raises:
        InputError: preprocessing takes no row.
    """
    wanted = _count_wanted_rows(plan, most_rows)
    part_rows = _count_part_rows(plan, wanted)
    raw: list[RawBatch] = []
    inputs: list[Arrays] = []
    rows = 0
    units = _choose_units(plan)
    read_rows = _count_read_rows(plan, wanted, part_rows, len(units))
    for batch in _read_batches(plan, units, read_rows):
        features = _preprocess(plan, batch)
        # Preprocessing may have rejected every row of the batch.
        if len(features):
            raw.append(batch)
            inputs.extend(_cut(features.inputs, part_rows))
            rows += len(features)
        if rows >= wanted:
            break
    if not rows:
        raise InputError(
            "there is no row to tune on that preprocessing takes; name an input with rows"
        )
    batches = tuple(len(batch) for batch in raw)
    prepare = partial(_prepare_rows, plan, raw)
    read = partial(_make_reader(plan, plan.rows_per_batch), raw[0].unit)
    return Sample(tuple(inputs), batches, prepare, time_reading(read))


def time_reading(
    read: Callable[[], Iterator[RawBatch]],
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the seconds that a row takes to read, as in a run; 0 where there is none.

    A unit is read again and again, and nothing of it is kept: the sample's own rows lie in memory that
    the kernel had to clear for them, which may take longer than reading, while a run uses the same
    memory for batch after batch. Single batches tell nothing, as a reader may decode many rows for the
    first of them and hand out the others at once.

    Args:
        read: begins to read a unit.
        clock: tells the time in seconds.
    """
    times: list[float] = []
    ends_at = clock() + _READING_SECONDS
    while not times or (len(times) < _READINGS and clock() < ends_at):
        began = clock()
        rows = 0
        # What is broken behind the sample is for the run to tell, which may go on without.
        with suppress(InputError):
            for batch in read():
                rows += len(batch)
                if clock() >= ends_at:
                    break
        # A filter left nothing of all of them, or of those that were read in time.
        if not rows:
            break
        seconds = clock() - began
        times.append(seconds / rows)
    return min(times, default=0.0)


def _count_wanted_rows(plan: Plan, most_rows: int) -> int:
    """Return how many rows the sample shall have: no more than fit into its share of memory."""
    row_bytes = bytes_per_row(plan.package.card)
    fitting = max(1, _SAMPLE_BYTES // row_bytes)
    return min(most_rows, fitting)


def _count_part_rows(plan: Plan, wanted: int) -> int:
    mini_batches = 1
    if plan.package.card.mask is not None:
        mini_batches = _TEXT_MINI_BATCHES
    part_rows = plan.inference.settings.batch_rows * mini_batches
    # Every core shall have a part.
    rows_per_core = -(-wanted // cores())
    return min(part_rows, rows_per_core)


def _count_read_rows(plan: Plan, wanted: int, part_rows: int, units: int) -> int:
    """Return the rows of a batch: as many as the job reads at once, if all units have a share.

    In whole parts, as the places that no row fills would be timed in a smaller one.
    """
    share = wanted // max(1, units)
    rows = min(plan.rows_per_batch, share)
    whole_rows = rows - rows % part_rows
    return max(part_rows, whole_rows)


def _cut(inputs: Arrays, part_rows: int) -> list[Arrays]:
    """Return a batch in parts; nothing is copied."""
    parts = []
    for start in range(0, count_rows(inputs), part_rows):
        stop = start + part_rows
        part = {name: values[start:stop] for name, values in inputs.items()}
        parts.append(part)
    return parts


def _preprocess(plan: Plan, batch: RawBatch) -> FeatureBatch:
    card = plan.package.card
    # All that a worker of a run does: what watches over pictures, and what looks at values, takes
    # time as well.
    return preprocess_batch(
        batch,
        plan.contract,
        plan.steps,
        card.inputs,
        timeout_seconds=plan.job.model.timeout_seconds,
        summaries=plan.summaries,
        checks=plan.checks,
    )


def _prepare_rows(plan: Plan, raw: list[RawBatch], wanted: ReadRows) -> Arrays:
    batch = raw[wanted.batch]
    span = slice(wanted.start, wanted.start + wanted.length)
    members = batch.members
    piece = replace(
        batch,
        rows=batch.rows.slice(wanted.start, wanted.length),
        row_numbers=batch.row_numbers[span],
        members=None if members is None else members[span],
    )
    features = _preprocess(plan, piece)
    return features.inputs


def _choose_units(plan: Plan) -> list[WorkUnit]:
    """Return units all over the plan."""
    units = [unit for unit in plan.units if unit.rows != 0]
    step = max(1, len(units) // _UNITS)
    return units[::step][:_UNITS]


def _read_batches(plan: Plan, units: Sequence[WorkUnit], rows: int) -> Iterator[RawBatch]:
    """Yield the first batches of units, then their second ones, and so on."""
    read = _make_reader(plan, rows)
    readers = [read(unit) for unit in units]
    while readers:
        # A copy, because readers that come to their end leave the list on the way.
        for reader in tuple(readers):
            batch = next(reader, None)
            if batch is None:
                readers.remove(reader)
            else:
                yield batch


def _make_reader(plan: Plan, rows: int) -> Callable[[WorkUnit], Iterator[RawBatch]]:
    """Return what reads a unit in batches of so many rows."""
    return partial(
        read_unit,
        schema=plan.schema,
        format=plan.format,
        rows_per_batch=rows,
        record=RowRecord(),
    )
