"""From table columns to the arrays that the network takes, for the rows of one batch.

First the contract's missing-value policy, column by column (but for what the job's own steps fill),
then the job's own steps, then those that training fitted.

Apart from the transform: a run is planned, and a run that is published already is found, without Beam.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pyarrow as pa
from pyarrow import Array, RecordBatch
from pyarrow.types import is_decimal, is_float16

from configs.errors import InputError, JobError, RejectedRows, RowError
from model_zoo.package.card import InputColumn, Tensor
from model_zoo.steps.arrays import cast_array
from model_zoo.steps.categories import find_categories, is_kept_in_dictionary
from model_zoo.steps.columns import Column
from model_zoo.steps.decimals import to_nearest_doubles
from model_zoo.steps.missing import fill_missing, find_missing
from model_zoo.steps.moments import TimeUnit, is_moment, to_number
from model_zoo.steps.table import AnyStep, apply_steps
from transforms.batches import Arrays
from transforms.logical_types import cast_exactly, decode
from transforms.timing import clocked_as

# The types of a contract that have several forms, in which steps get them; a view is one that Arrow
# can do little with.
_TEXT_TYPES = {
    "string": pa.string(),
    "large_string": pa.large_string(),
    "string_view": pa.large_string(),
    "binary": pa.binary(),
    "large_binary": pa.large_binary(),
    "binary_view": pa.large_binary(),
}


def preprocess_rows(
    rows: RecordBatch,
    contract: Sequence[InputColumn],
    steps: Sequence[AnyStep],
    inputs: Mapping[str, Tensor],
    timeout_seconds: float | None = None,
) -> Arrays:
    """Return the network's inputs for some rows.

    Args:
        rows: at least the columns that `contract` and `steps` name.
        contract: every model column, with its policy for missing values.
        steps: complete ones, in order.
        inputs: name, dtype and shape of what must come out.
        timeout_seconds: the longest time that one picture, or some texts, may take; None for any.

    Returns:
        One array (rows, *shape) per input, in its dtype.

    Raises:
        RejectedRows: rows that a policy or a step rejects.
        InputError, JobError: something that concerns not just a row.
        WorkerError: a picture or text took too long.
    """
    named = zip(rows.schema.names, rows.columns, strict=True)
    columns: dict[str, Column] = dict(named)
    # Steps that ask for categories alone take them as they were read.
    categories = find_categories(steps)
    plain_rules = [
        rule
        for rule in contract
        if rule.name not in categories or not is_kept_in_dictionary(columns[rule.name])
    ]
    columns.update(to_plain_columns(columns, plain_rules))
    # Before the steps, so that they see no missing value that the contract settles.
    columns.update(_settle_missing(columns, contract))
    # Where no column is stated, the input has the name of its own.
    of_inputs = {name: wanted.column or name for name, wanted in inputs.items()}
    preprocessed = apply_steps(
        steps,
        columns,
        rows.num_rows,
        clock=clocked_as,
        timeout_seconds=timeout_seconds,
        wanted=set(of_inputs.values()),
    )
    arrays: dict[str, np.ndarray] = {}
    for name, wanted in inputs.items():
        column = of_inputs[name]
        arrays[name] = _select_input(column, preprocessed, wanted, rows.num_rows)
    return arrays


def to_plain_columns(
    columns: Mapping[str, Column],
    contract: Sequence[InputColumn],
) -> dict[str, Column]:
    """Return the model columns that are not in a form that steps take, in one that they do.

    What is copied to the output, too, was read in the form that its file has: texts as views or in
    dictionaries. Moments become the numbers that the contract declares, decimals the nearest
    doubles, and 16-bit floats, with which Arrow can do little, wider ones.

    Args:
        columns: as they were read, at least those of the contract.
        contract: every model column.
    """
    plain: dict[str, Column] = {}
    for rule in contract:
        column = columns[rule.name]
        if isinstance(column, np.ndarray):
            continue
        wanted = _TEXT_TYPES.get(rule.type)
        if rule.number is not None:
            plain[rule.name] = _to_number(column, rule)
        elif wanted is not None:
            if column.type != wanted:
                plain[rule.name] = cast_exactly(column, wanted)
        elif is_decimal(column.type):
            plain[rule.name] = to_nearest_doubles(column)
        elif is_float16(column.type):
            plain[rule.name] = column.cast(pa.float32())
    return plain


def _to_number(column: Array, rule: InputColumn) -> Array:
    column = decode(column)
    if not is_moment(column.type):
        raise JobError(
            f"column {rule.name!r} is {column.type}, and number {rule.number} is of dates, times "
            "and durations; pack the model again"
        )
    return to_number(column, cast(TimeUnit, rule.number))


def _settle_missing(
    columns: Mapping[str, Column],
    contract: Sequence[InputColumn],
) -> dict[str, Column]:
    """Return the columns in which missing values were filled.

    Raises:
        RejectedRows: rows that the policy of a column rejects.
        InputError: a missing value in a column that must have none.
    """
    filled: dict[str, Column] = {}
    reasons: dict[int, Exception] = {}
    for rule in contract:
        # A step fills it, with a value that training fitted.
        if rule.missing == "fill" and rule.fill is None:
            continue
        column = columns[rule.name]
        positions = find_missing(column)
        if positions is None:
            continue
        if rule.missing == "error":
            raise InputError(
                f"column {rule.name!r} has a missing value, and the model's contract says missing: "
                "error; clean the input, or pack the model with missing: reject or fill"
            )
        if rule.missing == "reject":
            reason = RowError(f"column {rule.name!r}: missing value")
            rows_without = positions.tolist()
            of_column = dict.fromkeys(rows_without, reason)
            reasons.update(of_column)
        elif rule.fill is not None:
            filled[rule.name] = fill_missing(column, rule.fill)
    if reasons:
        raise RejectedRows(reasons)
    return filled


def _select_input(
    name: str,
    columns: Mapping[str, Column],
    wanted: Tensor,
    rows: int,
) -> np.ndarray:
    """Return one model input out of the preprocessed columns, in its dtype.

    Raises:
        JobError: preprocessing does not make it, or in another shape.
        RejectedRows: rows with a value that the dtype cannot hold.
    """
    if name not in columns:
        raise JobError(
            f"preprocessing gives no model input {name!r}; its columns are {sorted(columns)}"
        )
    array = columns[name]
    if not isinstance(array, np.ndarray):
        # Booleans and columns with nulls cannot be had without a copy.
        array = array.to_numpy(zero_copy_only=False)
    shape = (rows, *wanted.shape)
    if array.shape != shape:
        raise JobError(
            f"preprocessing gives model input {name!r} in shape {array.shape}, not {shape}"
        )
    if array.dtype == wanted.dtype:
        return array
    dtype = np.dtype(wanted.dtype)
    return cast_array(name, array, dtype)
