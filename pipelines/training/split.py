"""A data set -> training, validation and test rows, preprocessed as scoring will do it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from sklearn.model_selection import train_test_split

from configs.errors import InputError, JobError, RejectedRows
from configs.missing import list_exceptions
from configs.suggest import nearest
from model_zoo.package.card import Tensor
from model_zoo.steps.arrays import fill_missing
from model_zoo.steps.table import AnyStep, fit_steps
from model_zoo.training.datasets import DATASETS
from model_zoo.training.examples import Examples
from pipelines.planning.jobs import FittingJob
from pipelines.training.contract import make_contract
from transforms.preprocess import preprocess_rows

Inputs: TypeAlias = Mapping[str, Tensor]
Columns: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """One part of the split.

    Attributes:
        rows: all columns.
        examples: the network's inputs (rows, ...), and class numbers int64 (rows,).
    """

    rows: pa.Table
    examples: Examples


class Prepared(NamedTuple):
    """A data set that a network can be trained on.

    Attributes:
        parts: training, validation and test.
        steps: fitted preprocessing.
    """

    parts: list[Part]
    steps: tuple[AnyStep, ...]


def read_data_set(job: FittingJob) -> pa.Table:
    """Return the data set's key, features in the order of the job, and label.

    Raises:
        JobError: it has no such column, or other labels.
    """
    data = job.data
    table = DATASETS[data.dataset]()
    present = table.column_names
    features = data.features or ()
    exceptions = list_exceptions(data.missing)
    for name in (data.key, data.label, *features, *data.fill, *exceptions):
        if name not in present:
            hint = nearest(name, present)
            raise JobError(f"data set {data.dataset} has no column {name!r}{hint}")

    labels = table.column(data.label)
    found = set(labels.to_pylist())
    # All of them, and no others: a label that is left out would be a class that is never learned.
    if found != set(data.labels):
        raise JobError(
            f"data.labels must be the values of {data.label}: {sorted(found)}, "
            f"got {list(data.labels)}"
        )

    if not features:
        hidden = (data.key, data.label)
        features = tuple(name for name in present if name not in hidden)
    return table.select([data.key, *features, data.label])


def prepare(job: FittingJob, table: pa.Table) -> Prepared:
    """Split the rows into training, validation and test, and preprocess them.

    Preprocessing is fitted on the training rows alone: what it knew of the others would make the
    metrics too good.

    Args:
        job: the job.
        table: as `read_data_set` gives it.

    Raises:
        InputError: rows that preprocessing does not take.
    """
    tables = split(job, table)
    training = tables[0]
    try:
        columns = _fill_features(job, training)
        steps, preprocessed = fit_steps(job.preprocess, columns, training.num_rows)
        inputs = _describe_inputs(job, preprocessed)
        parts = [_make_part(job, rows, steps, inputs) for rows in tables]
    except RejectedRows as rejected:
        reasons = rejected.reasons
        position, reason = min(reasons.items())
        raise InputError(
            f"data set {job.data.dataset}: "
            f"preprocessing does not take {len(reasons)} rows, "
            f"the first at {position} of its part: {reason}; "
            "clean the data, or add data.fill or a fill step"
        ) from rejected
    return Prepared(parts, steps)


def split(job: FittingJob, table: pa.Table) -> list[pa.Table]:
    """Return training, validation and test rows, stratified by label, in the data set's order.

    Args:
        job: the job.
        table: as `read_data_set` gives it.

    Raises:
        JobError: the shares leave a part without rows of some label.
    """
    column = table.column(job.data.label)
    labels = np.array(column.to_pylist())
    seed = job.training.seed
    test_share = job.split.test
    # Of the rows that the test leaves.
    validation_share = job.split.validation / (1 - test_share)
    row_count = table.num_rows
    every = np.arange(row_count)
    # Stratified: of a rare label chance alone could leave a part without a row.
    try:
        rest, test = train_test_split(
            every,
            test_size=test_share,
            stratify=labels,
            random_state=seed,
        )
        rest_labels = labels[rest]
        training, validation = train_test_split(
            rest,
            test_size=validation_share,
            stratify=rest_labels,
            random_state=seed,
        )
    except ValueError as error:
        raise JobError(
            f"split does not suit the {row_count} rows of {job.data.dataset}: {error}"
        ) from error
    parts = (training, validation, test)
    return [_take_rows(table, numbers) for numbers in parts]


def _take_rows(table: pa.Table, numbers: np.ndarray) -> pa.Table:
    # In the data set's order, so that a person finds a row again.
    in_order = np.sort(numbers)
    taken = pa.array(in_order)
    rows = table.take(taken)
    return rows.combine_chunks()


def drop_key_and_label(job: FittingJob, rows: pa.Table) -> pa.Table:
    """Return the features alone.

    Args:
        job: the job.
        rows: all columns.
    """
    data = job.data
    return rows.drop_columns([data.key, data.label])


def _fill_features(job: FittingJob, rows: pa.Table) -> Columns:
    """Return features with the contract's fills in place, as scoring hands them to the steps."""
    fill = job.data.fill
    features = drop_key_and_label(job, rows)
    columns = {}
    for name in features.column_names:
        column = features.column(name).combine_chunks()
        if name in fill:
            column = fill_missing(column, fill[name])
        columns[name] = column
    return columns


def _describe_inputs(job: FittingJob, columns: Columns) -> Inputs:
    """Return what the network takes, read off what preprocessing made of the training rows."""
    inputs = {}
    for name in job.network.inputs:
        if name not in columns:
            raise JobError(
                f"network.inputs names {name!r}, but preprocessing gives {sorted(columns)}"
            )
        array = np.asarray(columns[name])
        row_shape = array.shape[1:]
        fields = {"dtype": str(array.dtype), "shape": row_shape}
        inputs[name] = Tensor.model_validate(fields)
    return inputs


def _make_part(
    job: FittingJob,
    rows: pa.Table,
    steps: Sequence[AnyStep],
    inputs: Inputs,
) -> Part:
    """Preprocess rows by the very function that scoring uses, missing-value policy included."""
    data = job.data
    features = drop_key_and_label(job, rows)
    contract = make_contract(job, features.schema)
    # All rows are one batch: `split` has left each column in one chunk.
    batch = features.to_batches()[0]
    arrays = preprocess_rows(batch, contract, steps, inputs)

    column = rows.column(data.label)
    labels = column.to_pylist()
    numbers = {label: number for number, label in enumerate(data.labels)}
    class_numbers = [numbers[label] for label in labels]
    classes = np.array(class_numbers, dtype=np.int64)
    examples = Examples(arrays, classes)
    return Part(rows, examples)
