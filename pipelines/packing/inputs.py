"""From the sample's columns to what the network takes: which columns make up each argument."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from configs.errors import InputError, JobError, RejectedRows
from configs.packaging import PackagingJob
from configs.suggest import nearest
from model_zoo.arrays import Arrays
from model_zoo.package.card import Tensor
from model_zoo.steps.arrays import fill_missing
from model_zoo.steps.columns import Column, is_number
from model_zoo.steps.stack import Stack
from model_zoo.steps.table import AnyStep, fit_steps
from pipelines.packing.calling import Signature
from pipelines.packing.missing import Contract
from transforms.preprocess import preprocess_rows

Columns: TypeAlias = Mapping[str, Column]
# Arguments of the network, each with the column that it takes as it is, or with those that are
# stacked.
Wiring: TypeAlias = dict[str, str | tuple[str, ...]]
Steps: TypeAlias = tuple[AnyStep, ...]
# A picture or a sequence of vectors; what is flatter is stacked.
_ARRAY_DIMENSIONS = 3


@dataclass(frozen=True)
class Prepared:
    """The sample as the network takes it.

    Attributes:
        steps: fitted, from the contract's columns to the inputs.
        tensors: what each argument takes, in the network's order.
        inputs: one array (rows, ...) per argument, in that order.
        rows: the sample's rows that these are of.
    """

    steps: Steps
    tensors: dict[str, Tensor]
    inputs: Arrays
    rows: pa.Table


def fit(job: PackagingJob[AnyStep], rows: pa.Table, contract: Contract) -> tuple[Steps, Columns]:
    """Fit the job's steps on the sample.

    Args:
        job: the job.
        rows: of the sample, without missing values that the contract rejects.
        contract: of the model.

    Returns:
        The fitted steps, and the model's columns as the last step left them.

    Raises:
        JobError, InputError: a step that does not fit the columns.
    """
    columns: dict[str, Column] = {}
    for rule in contract:
        column = rows.column(rule.name).combine_chunks()
        if rule.fill is not None:
            column = fill_missing(column, rule.fill)
        columns[rule.name] = column
    try:
        return fit_steps(job.preprocess, columns, rows.num_rows)
    except RejectedRows as rejected:
        raise _refuse_rows(rejected) from rejected


def wire(job: PackagingJob[AnyStep], signature: Signature, columns: Columns) -> Wiring:
    """Return which columns make up each argument of the network.

    Args:
        job: the job, which may say it.
        signature: what the network takes.
        columns: what the steps have made.

    Raises:
        JobError: it cannot be found, or names what is not there; all of it at once.
    """
    if job.inputs:
        _check_named(job.inputs, signature, columns)
        return dict(job.inputs)
    required = signature.required
    if not required:
        # All have defaults, as in Hugging Face's models.
        required = tuple(name for name in columns if name in signature.known)
    if required and all(name in columns for name in required):
        return {name: name for name in required}
    if len(signature.required) == 1:
        return {signature.required[0]: _choose_features(columns)}
    takes = ", ".join(signature.required) or "any names"
    raise JobError(
        f"the network takes {takes}; say which columns make up each, for example "
        f"inputs.{(signature.required or ('x',))[0]}=[{', '.join(list(columns)[:2])}]; "
        f"there are {', '.join(columns)}"
    )


def prepare(
    rows: pa.Table,
    contract: Contract,
    fitted: Steps,
    wiring: Wiring,
    columns: Columns,
    dtype: str | Mapping[str, str],
) -> Prepared:
    """Return the inputs, made by the very function that scoring uses.

    Args:
        rows: of the sample.
        contract: of the model.
        fitted: steps.
        wiring: which columns make up each argument.
        columns: what the steps have made.
        dtype: of arguments that are stacked of several columns; or of each argument, by name, where
            that is known.

    Raises:
        InputError: rows that preprocessing does not take.
    """
    steps = list(fitted)
    wanted: dict[str, Tensor] = {}
    for name, source in wiring.items():
        if isinstance(source, str):
            array = _to_numbers(columns, source)
            known = None if isinstance(dtype, str) else dtype[name]
            wanted[name] = _describe(array, known, column=None if source == name else source)
            continue
        one_dtype = dtype if isinstance(dtype, str) else dtype[name]
        step = Stack(step="stack", columns=source, into=name, dtype=one_dtype)
        steps.append(step)
        stacked = step.apply(columns, rows.num_rows)
        wanted[name] = _describe(np.asarray(stacked[name]))
    batch = rows.select([rule.name for rule in contract]).to_batches()[0]
    try:
        inputs = preprocess_rows(batch, contract, steps, wanted)
    except RejectedRows as rejected:
        raise _refuse_rows(rejected) from rejected
    return Prepared(tuple(steps), wanted, inputs, rows)


def all_whole(wiring: Wiring, columns: Columns) -> bool:
    """Tell whether all numbers that are stacked are integers, so that they may be indices."""
    stacked = [parts for parts in wiring.values() if not isinstance(parts, str)]
    return all(_is_whole(columns[part]) for parts in stacked for part in parts)


def _is_whole(column: Column) -> bool:
    if isinstance(column, np.ndarray):
        return column.dtype.kind in ("i", "u")
    return bool(pa.types.is_integer(column.type))


def _check_named(
    named: Mapping[str, Sequence[str]], signature: Signature, columns: Columns
) -> None:
    problems = []
    for name, parts in named.items():
        for part in [parts] if isinstance(parts, str) else parts:
            if part not in columns:
                hint = nearest(part, list(columns))
                problems.append(f"inputs.{name}: there is no column {part!r}{hint}")
    forgotten = [name for name in signature.required if name not in named]
    by_position = len(named) == len(signature.required)
    if forgotten and not by_position:
        problems.append(f"inputs: the network also takes {', '.join(forgotten)}")
    if problems:
        raise JobError("; ".join(problems))


def _choose_features(columns: Columns) -> str | tuple[str, ...]:
    """Return the one deep array that the steps have made, or else all numbers.

    Raises:
        JobError: columns that are no numbers, all of them.
    """
    deep = [name for name, column in columns.items() if _is_deep(column)]
    if len(deep) == 1:
        return deep[0]
    problems = []
    for name, column in columns.items():
        if isinstance(column, np.ndarray) or is_number(column.type):
            continue
        problems.append(f"{name!r} of type {column.type}")
    if problems:
        raise JobError(
            f"the network takes numbers, and these columns are none: {', '.join(problems)}; "
            "encode them with steps (one_hot, ordinal, image, tokenize), "
            "name what the model sees in columns, or say inputs"
        )
    return tuple(columns)


def _is_deep(column: Column) -> bool:
    return isinstance(column, np.ndarray) and column.ndim >= _ARRAY_DIMENSIONS


def _to_numbers(columns: Columns, name: str) -> np.ndarray:
    column = columns[name]
    if isinstance(column, np.ndarray):
        return column
    if not is_number(column.type):
        raise JobError(
            f"the network takes column {name!r} of type {column.type}, which is no number; "
            "encode it with a step (ordinal, one_hot, image, tokenize)"
        )
    return column.to_numpy(zero_copy_only=False)


def _describe(array: np.ndarray, known: str | None = None, column: str | None = None) -> Tensor:
    """Return dtype and shape of a row, in a dtype that networks take."""
    kind = array.dtype.kind
    dtype = str(array.dtype)
    if known is not None:
        dtype = known
    elif kind in ("i", "u"):
        dtype = "int32" if dtype == "int32" else "int64"
    elif kind != "f" or dtype == "float16":
        dtype = "float32"
    return Tensor.model_validate({"dtype": dtype, "shape": array.shape[1:], "column": column})


def _refuse_rows(rejected: RejectedRows) -> InputError:
    position, reason = min(rejected.reasons.items())
    return InputError(
        f"sample: preprocessing does not take {len(rejected.reasons)} rows, the first at "
        f"{position}: {reason}; mend the sample, or say fill or a fill step"
    )
