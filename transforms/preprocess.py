"""RawBatch -> FeatureBatch: from table columns to the arrays that the network takes.

First the contract's missing-value policy, column by column (but for what the job's own steps fill),
then the job's own steps, then those that training fitted. A row that a step cannot take is rejected, and the rest of its batch goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import apache_beam as beam
from pyarrow import Array

from configs.errors import InputError, RejectedRows, WorkerError
from model_zoo.package.card import InputColumn, Tensor
from model_zoo.steps.table import AnyStep
from transforms.batch_function import BatchFunction
from transforms.batches import FeatureBatch, RawBatch
from transforms.checks.column_check import ColumnCheck
from transforms.checks.failed_rows import find_failed_rows
from transforms.preprocess_rows import preprocess_rows
from transforms.rejected import reject_rows
from transforms.summaries.summary import Summaries, merge_states, summarise


def preprocess_batch(
    batch: RawBatch,
    contract: Sequence[InputColumn],
    steps: Sequence[AnyStep],
    inputs: Mapping[str, Tensor],
    timeout_seconds: float | None = None,
    summaries: Summaries = (),
    checks: Sequence[ColumnCheck] = (),
) -> FeatureBatch:
    """Return the batch with its inputs, without the rows that were rejected.

    Args:
        batch: rows as they were read.
        contract, steps, inputs, timeout_seconds: as for `preprocess_rows`.
        summaries: what is computed of all rows that were read.
        checks: what a row must pass, or is rejected.

    Raises:
        InputError, WorkerError: as `preprocess_rows`; the message names the batch.
        JobError: as `preprocess_rows`.
    """
    # First: rows that lack a value may leave it.
    if summaries:
        batch = _summarise_inputs(batch, summaries)
    if checks:
        batch = _reject_failed(batch, checks)
    # A step names the rows that it cannot take column by column: once more for every such column.
    while True:
        try:
            arrays = preprocess_rows(batch.rows, contract, steps, inputs, timeout_seconds)
            break
        except RejectedRows as rejected:
            batch = reject_rows(batch, rejected, "preprocess")
        except (InputError, WorkerError) as error:
            raise type(error)(f"{batch.id}: {error}") from error
    if summaries:
        of_network = summarise(summaries, "network", arrays, batch.places)
        states = merge_states(summaries, batch.summaries, of_network)
        batch = replace(batch, summaries=states)
    return FeatureBatch(batch, arrays)


@dataclass
class Preprocess(beam.PTransform):
    """`preprocess_batch` on every batch."""

    contract: tuple[InputColumn, ...]
    steps: tuple[AnyStep, ...]
    inputs: dict[str, Tensor]
    timeout_seconds: float | None = None
    summaries: Summaries = ()
    checks: tuple[ColumnCheck, ...] = ()

    def expand(self, batches: beam.PCollection[RawBatch]) -> beam.PCollection[FeatureBatch]:
        preprocess = partial(
            preprocess_batch,
            contract=self.contract,
            steps=self.steps,
            inputs=self.inputs,
            timeout_seconds=self.timeout_seconds,
            summaries=self.summaries,
            checks=self.checks,
        )
        function = BatchFunction(preprocess, "preprocess")
        return batches | beam.ParDo(function).with_output_types(FeatureBatch)


def _summarise_inputs(batch: RawBatch, summaries: Summaries) -> RawBatch:
    """Return a batch with the states of its rows."""
    columns = _name_columns(batch)
    states = summarise(summaries, "input", columns, batch.places)
    return replace(batch, summaries=states)


def _reject_failed(batch: RawBatch, checks: Sequence[ColumnCheck]) -> RawBatch:
    """Return a batch without the rows that fail a check."""
    rejected = find_failed_rows(checks, _name_columns(batch))
    if rejected is None:
        return batch
    return reject_rows(batch, rejected, "preprocess")


def _name_columns(batch: RawBatch) -> dict[str, Array]:
    rows = batch.rows
    return dict(zip(rows.schema.names, rows.columns, strict=True))
