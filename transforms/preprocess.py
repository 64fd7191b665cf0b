"""RawBatch -> FeatureBatch: from table columns to the arrays that the network takes.

First the contract's missing-value policy, column by column, then the job's own steps, then those that training fitted. A row that
a step cannot take is rejected, and the rest of its batch goes on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
import pyarrow as pa

from configs.errors import InputError, JobError, RowError
from configs.steps import Scalar, Step
from transforms.batches import Arrays, BadRows, FeatureBatch, RawBatch
from transforms.columns import Column, apply_steps, cast_array, fill_missing, missing_rows
from transforms.timing import Timed


@dataclass(frozen=True)
class Missing:
    """What a missing value in one column does: `error`, `reject`, or `fill` with a value."""

    column: str
    policy: str
    fill: Scalar | None = None


@dataclass(frozen=True)
class ModelInput:
    """An array that the network takes: its dtype, and its shape without the leading rows."""

    dtype: str
    shape: tuple[int, ...]


def preprocess_rows(
    rows: pa.RecordBatch, missing: Sequence[Missing], steps: Sequence[Step], inputs: Mapping[str, ModelInput]
) -> Arrays:
    """The network's inputs for some rows.

    Args:
        rows: at least the columns that `missing` and `steps` name.
        missing: policy of every model column.
        steps: fitted steps, in order.
        inputs: name, dtype and shape of what must come out.

    Returns:
        One array (rows, *shape) per input, in its dtype.

    Raises:
        BadRows: rows that a policy or a step rejects.
        InputError, JobError: something that concerns not just a row.
    """
    columns: dict[str, Column] = {name: rows.column(name) for name in rows.schema.names}
    columns.update(_settle_missing(rows, missing))
    return _select(apply_steps(steps, columns, rows.num_rows), inputs, rows.num_rows)


def preprocess_batch(
    batch: RawBatch, missing: Sequence[Missing], steps: Sequence[Step], inputs: Mapping[str, ModelInput]
) -> FeatureBatch:
    """The batch with its inputs, without the rows that were rejected.

    A failing step names all its bad rows at once, so this tries once more per failing step.
    """
    while True:
        try:
            return FeatureBatch(batch, preprocess_rows(batch.rows, missing, steps, inputs))
        except BadRows as bad:
            batch = batch.reject(bad, "preprocess")
        except InputError as error:
            raise InputError(f"{batch.id}: {error}") from error


@dataclass
class Preprocess(beam.PTransform):
    """`preprocess_rows` on every batch."""

    missing: tuple[Missing, ...]
    steps: tuple[Step, ...]
    inputs: dict[str, ModelInput]

    def expand(self, batches: beam.PCollection[RawBatch]) -> beam.PCollection[FeatureBatch]:
        return batches | beam.ParDo(_PreprocessRows(self.missing, self.steps, self.inputs))


@dataclass
class _PreprocessRows(beam.DoFn):
    missing: tuple[Missing, ...]
    steps: tuple[Step, ...]
    inputs: dict[str, ModelInput]

    def setup(self) -> None:
        self._timed = Timed("preprocess")

    def process(self, batch: RawBatch) -> Iterator[FeatureBatch]:
        with self._timed(len(batch)), batch.times.clocked("preprocess"):
            features = preprocess_batch(batch, self.missing, self.steps, self.inputs)
        yield features


def _settle_missing(rows: pa.RecordBatch, missing: Sequence[Missing]) -> dict[str, Column]:
    filled: dict[str, Column] = {}
    bad: dict[int, Exception] = {}
    for rule in missing:
        if rule.policy == "fill" and rule.fill is None:  # a step fills it
            continue
        column = rows.column(rule.column)
        positions = missing_rows(column)
        if positions is None:
            continue
        if rule.policy == "error":
            raise InputError(
                f"column {rule.column!r} has a missing value, and the model's contract says missing: error; clean the "
                "input, or pack the model with missing: reject or fill"
            )
        if rule.policy == "reject":
            bad.update((int(p), RowError(f"column {rule.column!r}: missing value")) for p in positions)
        elif rule.fill is not None:
            filled[rule.column] = fill_missing(column, rule.fill)
    if bad:
        raise BadRows(bad)
    return filled


def _select(columns: dict[str, Column], inputs: Mapping[str, ModelInput], rows: int) -> Arrays:
    arrays: Arrays = {}
    for name, wanted in inputs.items():
        if name not in columns:
            raise JobError(f"preprocessing gives no model input {name!r}; its columns are {sorted(columns)}")
        column = columns[name]
        array = column if isinstance(column, np.ndarray) else column.to_numpy(zero_copy_only=False)
        if array.shape != (rows, *wanted.shape):
            raise JobError(f"preprocessing gives model input {name!r} in shape {array.shape}, not {(rows, *wanted.shape)}")
        arrays[name] = array if array.dtype == wanted.dtype else cast_array(name, array, np.dtype(wanted.dtype))
    return arrays
