"""A data set -> training, validation and test rows, preprocessed as scoring will do it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.model_selection import train_test_split

from configs.errors import InputError, JobError, RejectedRows
from configs.suggest import nearest
from model_zoo.package.card import InputColumn, Tensor
from model_zoo.steps.arrays import fill_missing
from model_zoo.steps.table import AnyStep, fit_steps
from model_zoo.training.datasets import DATASETS
from model_zoo.training.loop import Examples
from pipelines.planning.jobs import FittingJob
from transforms.preprocess import preprocess_rows


@dataclass(frozen=True)
class Part:
    """One part of the split.

    Attributes:
        rows: all columns.
        examples: the network's inputs (rows, ...), and class numbers int64 (rows,).
    """

    rows: pa.Table
    examples: Examples


def read_data_set(job: FittingJob) -> pa.Table:
    """Return the data set's key, features in the order of the job, and label.

    Raises:
        JobError: it has no such column, or other labels.
    """
    data = job.data
    table = DATASETS[data.dataset]()
    for name in (data.key, data.label, *(data.features or ()), *data.fill):
        if name not in table.column_names:
            raise JobError(
                f"data set {data.dataset} has no column {name!r}{nearest(name, table.column_names)}"
            )
    found = set(table.column(data.label).to_pylist())
    # All of them, and no others: a label that is left out would be a class that is never learned.
    if found != set(data.labels):
        raise JobError(
            f"data.labels must be the values of {data.label}: {sorted(found)}, "
            f"got {list(data.labels)}"
        )
    others = [name for name in table.column_names if name not in (data.key, data.label)]
    return table.select([data.key, *(data.features or others), data.label])


def prepare(job: FittingJob, table: pa.Table) -> tuple[list[Part], tuple[AnyStep, ...]]:
    """Split the rows into training, validation and test, and preprocess them.

    Preprocessing is fitted on the training rows alone: what it knew of the others would make the
    metrics too good.

    Args:
        job: the job.
        table: as `read_data_set` gives it.

    Returns:
        The three parts, and the fitted steps.

    Raises:
        InputError: rows that preprocessing does not take.
    """
    tables = split(job, table)
    training = tables[0]
    try:
        columns = _fill_features(job, training)
        steps, preprocessed = fit_steps(job.preprocess, columns, training.num_rows)
        inputs = _describe_inputs(job, preprocessed)
        return [_make_part(job, rows, steps, inputs) for rows in tables], steps
    except RejectedRows as rejected:
        position, reason = min(rejected.reasons.items())
        raise InputError(
            f"data set {job.data.dataset}: "
            f"preprocessing does not take {len(rejected.reasons)} rows, "
            f"the first at {position} of its part: {reason}; "
            "clean the data, or add data.fill or a fill step"
        ) from rejected


def split(job: FittingJob, table: pa.Table) -> list[pa.Table]:
    """Return training, validation and test rows, stratified by label, in the data set's order.

    Args:
        job: the job.
        table: as `read_data_set` gives it.

    Raises:
        JobError: the shares leave a part without rows of some label.
    """
    # Stratified: of a rare label chance alone could leave a part without a row.
    labels = np.array(table.column(job.data.label).to_pylist())
    seed, test_share = job.training.seed, job.split.test
    # Of the rows that the test leaves.
    validation_share = job.split.validation / (1 - test_share)
    every = np.arange(table.num_rows)
    try:
        rest, test = train_test_split(
            every, test_size=test_share, stratify=labels, random_state=seed
        )
        training, validation = train_test_split(
            rest, test_size=validation_share, stratify=labels[rest], random_state=seed
        )
    except ValueError as error:
        raise JobError(
            f"split does not suit the {table.num_rows} rows of {job.data.dataset}: {error}"
        ) from error
    parts = []
    for numbers in (training, validation, test):
        # Sorted, so that a person finds a row again.
        rows = table.take(pa.array(np.sort(numbers)))
        parts.append(rows.combine_chunks())
    return parts


def drop_key_and_label(job: FittingJob, rows: pa.Table) -> pa.Table:
    """Return the features alone.

    Args:
        job: the job.
        rows: all columns.
    """
    return rows.drop_columns([job.data.key, job.data.label])


def _fill_features(job: FittingJob, rows: pa.Table) -> dict[str, pa.Array]:
    """Return features with the contract's fills in place, as scoring hands them to the steps."""
    features = {}
    for name in drop_key_and_label(job, rows).column_names:
        column = rows.column(name).combine_chunks()
        if name in job.data.fill:
            column = fill_missing(column, job.data.fill[name])
        features[name] = column
    return features


def _describe_inputs(job: FittingJob, columns: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return what the network takes, read off what preprocessing made of the training rows."""
    inputs = {}
    for name in job.network.inputs:
        if name not in columns:
            raise JobError(
                f"network.inputs names {name!r}, but preprocessing gives {sorted(columns)}"
            )
        array = np.asarray(columns[name])
        fields = {"dtype": str(array.dtype), "shape": array.shape[1:]}
        inputs[name] = Tensor.model_validate(fields)
    return inputs


def _make_part(
    job: FittingJob, rows: pa.Table, steps: Sequence[AnyStep], inputs: Mapping[str, Tensor]
) -> Part:
    """Preprocess rows by the very function that scoring uses, missing-value policy included."""
    features = drop_key_and_label(job, rows)
    # The contract that the package will have.
    contract = [_describe_column(job, field) for field in features.schema]
    arrays = preprocess_rows(features.to_batches()[0], contract, steps, inputs)
    numbers = {label: number for number, label in enumerate(job.data.labels)}
    labels = rows.column(job.data.label).to_pylist()
    classes = np.array([numbers[label] for label in labels], dtype=np.int64)
    return Part(rows, Examples(arrays, classes))


def _describe_column(job: FittingJob, field: pa.Field) -> InputColumn:
    fill = job.data.fill.get(field.name)
    missing = "fill" if field.name in job.data.fill else job.data.missing
    return InputColumn(name=field.name, type=str(field.type), missing=missing, fill=fill)
