"""Read and preprocess a sample of a job's rows, as the job's own workers would."""

from collections.abc import Iterator
from functools import partial

from configs.errors import InputError
from model_zoo.arrays import Arrays
from model_zoo.engines.machine import cores
from pipelines.planning.batch_rows import bytes_per_row
from pipelines.planning.plan import Plan
from pipelines.tuning.sample import Sample
from transforms.batches import FeatureBatch, RawBatch, RowRecord
from transforms.preprocess import preprocess_batch
from transforms.read_unit import read_unit

# All of it is in memory, beside the scores of every setting.
_SAMPLE_BYTES = 300 << 20
# Texts differ in length: what a mini-batch of them takes is seen only where there are several.
_TEXT_MINI_BATCHES = 16
# Enough to see the whole input, few enough to have their files open.
_UNITS = 8


def take_sample(plan: Plan, most_rows: int) -> Sample:
    """Return rows from the beginnings of units all over the input, in parts of a mini-batch.

    Of texts a part has several mini-batches.

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
    for batch in _read_batches(plan, part_rows):
        features = _preprocess(plan, batch)
        # Preprocessing may have rejected every row of the batch.
        if len(features):
            raw.append(batch)
            inputs.append(features.inputs)
            rows += len(features)
        if rows >= wanted:
            break
    if not rows:
        raise InputError(
            "there is no row to tune on that preprocessing takes; name an input with rows"
        )
    prepare = partial(_prepare_part, plan, raw)
    return Sample(tuple(inputs), prepare)


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


def _preprocess(plan: Plan, batch: RawBatch) -> FeatureBatch:
    card = plan.package.card
    return preprocess_batch(batch, plan.contract, plan.steps, card.inputs)


def _prepare_part(plan: Plan, raw: list[RawBatch], number: int) -> Arrays:
    features = _preprocess(plan, raw[number])
    return features.inputs


def _read_batches(plan: Plan, rows: int) -> Iterator[RawBatch]:
    """Yield the first batches of units all over the plan, then their second ones, and so on."""
    units = [unit for unit in plan.units if unit.rows != 0]
    step = max(1, len(units) // _UNITS)
    chosen = units[::step][:_UNITS]
    record = RowRecord()
    read = partial(
        read_unit,
        schema=plan.schema,
        format=plan.format,
        rows_per_batch=rows,
        record=record,
    )
    readers = [read(unit) for unit in chosen]
    while readers:
        # A copy, because readers that come to their end leave the list on the way.
        for reader in tuple(readers):
            batch = next(reader, None)
            if batch is None:
                readers.remove(reader)
            else:
                yield batch
