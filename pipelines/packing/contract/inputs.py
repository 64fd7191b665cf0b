"""From the sample's columns to what the network takes: which columns make up each argument."""

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from configs.errors import InputError, JobError, RejectedRows
from configs.packaging import PackagingJob
from configs.suggest import nearest
from model_zoo.architectures.signature import Signature
from model_zoo.architectures.users_own import is_ours
from model_zoo.package.card import Contract, Tensor
from model_zoo.steps.columns import Column, is_number
from model_zoo.steps.date_parts import DateParts
from model_zoo.steps.missing import fill_missing
from model_zoo.steps.moments import is_moment
from model_zoo.steps.stack import Stack
from model_zoo.steps.table import AnyStep, fit_steps
from model_zoo.steps.target import Target
from pipelines.packing.contract.dtypes import Wiring
from pipelines.packing.contract.prepared import Columns, Prepared, Steps
from pipelines.packing.contract.target import find_target
from pipelines.packing.contract.units import UnitsNeededError, ask_for_numbers
from transforms.preprocess_rows import preprocess_rows, to_plain_columns

Job: TypeAlias = PackagingJob[AnyStep]

# A picture or a sequence of vectors; what is flatter is stacked.
_ARRAY_DIMENSIONS = 3
# As networks of ours call the argument that is true for items and false for padding.
_MASK = "mask"
# Others are made of what is stacked in one of these.
_STACKED = ("float16", "float32", "float64", "int32", "int64")


def fit(
    job: Job,
    rows: pa.Table,
    contract: Contract,
    target: Target | None = None,
) -> tuple[Steps, Columns]:
    """Fit the job's steps on the sample.

    Args:
        job: the job.
        rows: of the sample, without missing values that the contract rejects.
        contract: of the model.
        target: what is to be predicted of these rows; None for the column that the job names.

    Returns:
        The fitted steps, and the model's columns as the last step left them, without dates that
        were taken apart: no network takes these.

    Raises:
        JobError, InputError: a step that does not fit the columns.
    """
    columns: dict[str, Column] = {}
    for rule in contract:
        column = rows.column(rule.name)
        columns[rule.name] = column.combine_chunks()
    plain = to_plain_columns(columns, contract)
    columns.update(plain)
    for rule in contract:
        if rule.fill is not None:
            column = columns[rule.name]
            columns[rule.name] = fill_missing(column, rule.fill)
    with _refusing_rows():
        known = target or find_target(job, rows)
        fitted, left = fit_steps(job.preprocess, columns, rows.num_rows, known)

    taken_apart: set[str] = set()
    for step in fitted:
        if isinstance(step, DateParts):
            taken_apart.update(step.columns)
    kept = _leave_out(left, taken_apart)
    return fitted, kept


def _leave_out(columns: Columns, names: Container[str]) -> dict[str, Column]:
    return {name: column for name, column in columns.items() if name not in names}


def wire(
    job: Job,
    signature: Signature,
    columns: Columns,
    masks: Container[str] = (),
) -> Wiring:
    """Return which columns make up each argument of the network.

    Args:
        job: the job, which may say it.
        signature: what the network takes.
        columns: what the steps have made.
        masks: names of columns that tell items from padding, and are no features.

    Raises:
        JobError: it cannot be found, or names what is not there; all of it at once.
    """
    if job.inputs:
        _check_named(job.inputs, signature, columns)
        wiring: Wiring = dict(job.inputs)
    else:
        found = _find_wiring(signature, columns, masks)
        wiring = _add_mask(job, signature, found, masks)
    sources = list_sources(wiring)
    # Once each, however often the network takes one.
    once = dict.fromkeys(sources)
    moments = [name for name in once if _is_moment(columns[name])]
    if moments:
        raise UnitsNeededError(moments)
    return wiring


def _find_wiring(
    signature: Signature,
    columns: Columns,
    masks: Container[str],
) -> Wiring:
    """Return which columns make up each argument, as their names and kinds say it.

    Args:
        signature: what the network takes.
        columns: what the steps have made.
        masks: names of columns that tell items from padding, and are no features.

    Raises:
        JobError: they do not say it.
    """
    required = signature.required
    # Where all have defaults, as in Hugging Face's models.
    meant = required or [name for name in columns if name in signature.known]
    if meant and all(name in columns for name in meant):
        return {name: name for name in meant}
    if len(required) == 1:
        (only,) = required
        features = _leave_out(columns, masks)
        source = _choose_features(features)
        return {only: source}
    names = list(columns)
    there = ", ".join(names)
    first_two = ", ".join(names[:2])
    takes = ", ".join(required) or "any names"
    argument = required[0] if required else "x"
    raise JobError(
        f"the network takes {takes}; say which columns make up each, for example "
        f"inputs.{argument}=[{first_two}]; there are {there}"
    )


def list_sources(wiring: Wiring) -> list[str]:
    """Return the columns that the network takes."""
    sources: list[str] = []
    for source in wiring.values():
        parts = _list_parts(source)
        sources.extend(parts)
    return sources


def _list_parts(source: str | Sequence[str]) -> Sequence[str]:
    """Return the columns that one argument is made of: one alone, or several side by side."""
    if isinstance(source, str):
        return (source,)
    return source


def prepare(
    rows: pa.Table,
    contract: Contract,
    fitted: Steps,
    wiring: Wiring,
    columns: Columns,
    dtypes: Mapping[str, str],
) -> Prepared:
    """Return the inputs, made by the very function that scoring uses.

    Args:
        rows: of the sample.
        contract: of the model.
        fitted: steps.
        wiring: which columns make up each argument.
        columns: what the steps have made.
        dtypes: of each argument, by name.

    Raises:
        InputError: rows that preprocessing does not take.
    """
    steps = list(fitted)
    wanted: dict[str, Tensor] = {}
    with _refusing_rows():
        for name, source in wiring.items():
            dtype = dtypes[name]
            if isinstance(source, str):
                array = _to_numbers(columns, source)
                # A column of the argument's own name need not be said.
                column = None if source == name else source
                wanted[name] = _describe(array, dtype, column)
                continue
            step = _make_stack(name, source, dtype)
            steps.append(step)
            made = step.apply(columns, rows.num_rows)
            array = np.asarray(made[name])
            wanted[name] = _describe(array, dtype)
        names = [rule.name for rule in contract]
        batch, *_ = rows.select(names).to_batches()
        inputs = preprocess_rows(batch, contract, steps, wanted)
    return Prepared(
        steps=tuple(steps),
        tensors=wanted,
        inputs=inputs,
        rows=rows,
    )


def _make_stack(name: str, columns: Sequence[str], dtype: str) -> Stack:
    """Return the step that puts columns side by side, which are cast after that where it must be."""
    stacked = dtype if dtype in _STACKED else "int64"
    fields = {
        "step": "stack",
        "columns": columns,
        "into": name,
        "dtype": stacked,
    }
    return Stack.model_validate(fields)


def _add_mask(
    job: Job,
    signature: Signature,
    wiring: Wiring,
    masks: Container[str],
) -> Wiring:
    """Return the wiring with the mask of padded lists, where a network of ours takes one.

    What a user's network means by its mask nobody knows: to some it is true for padding.

    Args:
        job: the job.
        signature: what the network takes.
        wiring: of its other arguments.
        masks: names of columns that tell items from padding.
    """
    takes_mask = is_ours(job.network) and _MASK in signature.known
    if not takes_mask or len(wiring) != 1:
        return wiring
    (source,) = wiring.values()
    mask = f"{source}_mask"
    if mask not in masks:
        return wiring
    return {**wiring, _MASK: mask}


def _check_named(
    named: Mapping[str, Sequence[str]], signature: Signature, columns: Columns
) -> None:
    problems = []
    # A dict for its order: each once.
    moments: dict[str, None] = {}
    known = list(columns)
    for name, source in named.items():
        for part in _list_parts(source):
            if part not in columns:
                hint = nearest(part, known)
                problems.append(f"inputs.{name}: there is no column {part!r}{hint}")
            elif _is_moment(columns[part]):
                moments[part] = None
    required = signature.required
    forgotten = [name for name in required if name not in named]
    by_position = len(named) == len(required)
    if forgotten and not by_position:
        also = ", ".join(forgotten)
        problems.append(f"inputs: the network also takes {also}")
    # Moments alone are asked for by an error of their own.
    if problems and moments:
        question = ask_for_numbers(list(moments))
        problems.append(question)
    if problems:
        raise JobError("; ".join(problems))


def _choose_features(columns: Columns) -> str | tuple[str, ...]:
    """Return the one deep array that the steps have made, or else all numbers.

    Raises:
        JobError: columns that are no numbers, all of them.
    """
    deep = [name for name, column in columns.items() if _is_deep(column)]
    if len(deep) == 1:
        (only,) = deep
        _refuse_others(only, columns)
        return only
    # Token numbers, or whatever is in the lists: no float32 that was stacked.
    if len(columns) == 1:
        ((only, column),) = columns.items()
        if isinstance(column, np.ndarray):
            return only
    others = []
    moments = []
    for name, column in columns.items():
        if isinstance(column, np.ndarray) or is_number(column.type):
            continue
        if _is_moment(column):
            moments.append(name)
        else:
            others.append(f"{name!r} of type {column.type}")
    if others:
        listed = ", ".join(others)
        question = (
            f"the network takes numbers, and these columns are none: {listed}; "
            "encode them with steps (one_hot, ordinal, image, tokenize), "
            "name what the model sees in columns, or say inputs"
        )
        if moments:
            question = f"{question}; {ask_for_numbers(moments)}"
        raise JobError(question)
    return tuple(columns)


def _refuse_others(deep: str, columns: Columns) -> None:
    """Refuse to leave numbers out in silence, which do not go side by side with an array.

    Raises:
        JobError: there are some.
    """
    others = []
    for name, column in columns.items():
        if name == deep:
            continue
        if _is_of_numbers(column):
            others.append(name)
    if others:
        listed = ", ".join(others)
        raise JobError(
            f"the network takes one argument, and there are the array {deep} and the numbers "
            f"{listed}, which are not stacked; say inputs, or name what the model sees in "
            "columns"
        )


def _is_of_numbers(column: Column) -> bool:
    return isinstance(column, np.ndarray) or is_number(column.type)


def _is_moment(column: Column) -> bool:
    return not isinstance(column, np.ndarray) and is_moment(column.type)


def _is_deep(column: Column) -> bool:
    return isinstance(column, np.ndarray) and column.ndim >= _ARRAY_DIMENSIONS


def _to_numbers(columns: Columns, name: str) -> np.ndarray:
    column = columns[name]
    if isinstance(column, np.ndarray):
        return column
    if _is_moment(column):
        raise UnitsNeededError([name])
    if not is_number(column.type):
        raise JobError(
            f"the network takes column {name!r} of type {column.type}, which is no number; "
            "encode it with a step (ordinal, one_hot, image, tokenize)"
        )
    return column.to_numpy(zero_copy_only=False)


def _describe(array: np.ndarray, dtype: str, column: str | None = None) -> Tensor:
    """Return dtype and shape of a row."""
    fields = {
        "dtype": dtype,
        "shape": array.shape[1:],
        "column": column,
    }
    return Tensor.model_validate(fields)


@contextmanager
def _refusing_rows() -> Iterator[None]:
    """Refuse the sample where a step rejects rows of it."""
    try:
        yield
    except RejectedRows as rejected:
        raise refuse_rows(rejected) from rejected


def refuse_rows(rejected: RejectedRows) -> InputError:
    """Return the refusal of a sample with rows that scoring would reject for more than what is missing."""
    reasons = rejected.reasons
    position, reason = min(reasons.items())
    count = len(reasons)
    return InputError(
        f"sample: preprocessing does not take {count} rows, the first at "
        f"{position}: {reason}; mend the sample, or say fill or a fill step"
    )
