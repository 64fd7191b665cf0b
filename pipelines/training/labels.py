"""The column that is learned: its labels by class number, and the targets.

Comes in: label columns as Arrow arrays, and what the job says. Goes out: numbers for the loss, one
row of them for each row that has its label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import InputError, JobError
from model_zoo.steps.columns import decode_dictionary, is_number
from model_zoo.steps.decimals import to_nearest_doubles
from model_zoo.steps.lists import is_list, list_lengths
from model_zoo.training.objective import Task
from pipelines.training.label_tasks import Columns, is_flag, quote_names

# A rarer label than one in so many rows is told.
_RARE = 5
_SHOWN_LABELS = 5
Names: TypeAlias = Sequence[str]
Labels: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Labelled:
    """What is learned.

    Attributes:
        task: what the scores will be.
        labels: names of classes by class number, of labels, or of a regression's numbers.
        targets: class numbers int64 (rows,); 0 and 1 float32 (rows, labels); or numbers float64
            (rows,) or (rows, numbers), in their own units.
    """

    task: Task
    labels: Labels
    targets: np.ndarray


class _Said(NamedTuple):
    """What the job or the package says of labels.

    Attributes:
        labels: by class number; none to find them.
        known_only: whether some of them may be of no row.
    """

    labels: Names
    known_only: bool


def find_labelled(columns: Columns) -> np.ndarray:
    """Return (bool) which rows have all of their labels."""
    flags = []
    for column in columns.values():
        is_missing = pc.is_null(column, nan_is_null=True)
        is_present = pc.invert(is_missing)
        flag = is_present.to_numpy(zero_copy_only=False)
        flags.append(flag)
    assert flags  # noqa: S101 - a job names a label before this is called
    is_labelled: np.ndarray = np.logical_and.reduce(flags)
    return is_labelled


def find_labels(
    task: Task,
    columns: Columns,
    wanted: Names,
    known_only: bool,
) -> Labelled:
    """Return labels by class number, and the targets.

    Args:
        task: what is learned.
        columns: labels of the rows that have one, by name.
        wanted: labels by class number that the job or the package says; none to find them.
        known_only: whether some of them may be of no row, as of a package that is trained further.

    Raises:
        JobError: columns that do not suit the task, or other labels than those.
        InputError: nothing to learn: one label alone, or a number that is not finite.
    """
    if task == "regression":
        return _find_numbers(columns)
    said = _Said(wanted, known_only)
    if task == "classification":
        return _find_classes(columns, said)

    labelled = _find_label_sets(columns, said)
    labels = labelled.labels
    if len(labels) == 1:
        (only,) = labels
        raise InputError(
            f"data.label: there is one label alone, {only!r}; make it a column of 0 "
            "and 1, or true and false, which is a classification"
        )
    return labelled


def describe_balance(labelled: Labelled) -> list[str]:
    """Return what a person should know of how often labels come, in words."""
    if labelled.task != "classification":
        return []
    labels = labelled.labels
    targets = labelled.targets
    rows = len(targets)
    classes = len(labels)
    counts = np.bincount(targets, minlength=classes)
    # What each label would have if all came alike.
    fair_share = rows / classes
    is_rare = counts * _RARE < fair_share * 2
    rare = np.flatnonzero(is_rare)
    if not len(rare):
        return []

    told = []
    for number in rare[:_SHOWN_LABELS]:
        label = labels[number]
        count = counts[number]
        told.append(f"{label!r} is of {count:,} rows")
    more = len(rare) - len(told)
    if more:
        told.append(f"and {more:,} more labels")
    shown = ", ".join(told)
    return [
        f"imbalanced: of {rows:,} rows {shown}; "
        "--set training.class_weights=balanced gives all labels the same weight"
    ]


def _to_text(column: pa.Array, name: str) -> pa.Array:
    """Return labels as text, as evaluation compares them."""
    plain = decode_dictionary(column)
    try:
        return plain.cast(pa.string())
    except pa.ArrowException as error:
        raise JobError(
            f"data.label: {name!r} of type {column.type} has no text for its values; name another, "
            "or say task: regression"
        ) from error


def _find_classes(columns: Columns, said: _Said) -> Labelled:
    there_are = len(columns)
    if there_are > 1:
        raise JobError(
            f"task classification: label names {there_are} columns; of one label a row is one "
            "column; several of 0 and 1 are task: multi_label"
        )
    ((name, column),) = columns.items()
    dtype = column.type
    if is_list(dtype):
        raise JobError(f"task classification: {name!r} holds lists; say task: multi_label")
    if pa.types.is_nested(dtype):
        raise JobError(
            f"task classification: {name!r} is {dtype}; a class is a text, a number or a truth "
            "value; name another label"
        )
    plain = decode_dictionary(column)
    found = _list_labels(name, plain)
    labels = _settle_labels(name, found, said)
    if len(found) < 2:
        (only,) = found
        rows = len(column)
        raise InputError(
            f"data.label: {name!r} has one value in all {rows:,} rows, {only!r}; there "
            "is nothing to tell apart; give rows of other labels, too"
        )
    numbers = _number_labels(name, plain, labels)
    targets = numbers.astype(np.int64)
    return Labelled("classification", labels, targets)


def _list_labels(name: str, plain: pa.Array) -> list[str]:
    """Return the different values of a column as text."""
    different = pc.unique(plain)
    # In their own order: 10 comes after 9, and not after 1.
    ordered = different.sort()
    texts = _to_text(ordered, name)
    return texts.to_pylist()


def _number_labels(name: str, plain: pa.Array, labels: Names) -> np.ndarray:
    """Return the class number of each value."""
    texts = _to_text(plain, name)
    known = pa.array(labels, pa.string())
    numbers = pc.index_in(texts, value_set=known)
    return numbers.to_numpy(zero_copy_only=False)


def _settle_labels(name: str, found: Names, said: _Said) -> Labels:
    """Return labels by class number.

    Raises:
        JobError: the job or the package says others than there are.
    """
    wanted = tuple(said.labels)
    if not wanted:
        return tuple(found)
    strangers = [label for label in found if label not in wanted]
    # A package that is trained further keeps its labels, of which new rows may have some alone.
    if said.known_only:
        _refuse_unknown(name, strangers, wanted)
        return wanted
    # All of them, and no others: a label that is left out would be a class that is never learned.
    is_one_missing = len(found) != len(wanted)
    if strangers or is_one_missing:
        values = sorted(found)
        got = list(wanted)
        raise JobError(f"data.labels must be the values of {name}: {values}, got {got}")
    return wanted


def _refuse_unknown(name: str, strangers: Names, wanted: Names) -> None:
    count = len(strangers)
    if not count:
        return
    shown = quote_names(strangers[:_SHOWN_LABELS])
    known = quote_names(wanted[:_SHOWN_LABELS])
    raise JobError(
        f"data.label: {name!r} has {count:,} labels that the package does not know, "
        f"{shown}; it knows {known}; leave such rows "
        "out, or train a new model without --from"
    )


def _find_label_sets(columns: Columns, said: _Said) -> Labelled:
    if len(columns) > 1:
        return _find_flags(columns, said)
    ((name, column),) = columns.items()
    if not is_list(column.type):
        raise JobError(
            f"task multi_label: {name!r} is {column.type}, and no list of labels; name the columns of "
            "0 and 1, --label once for each, or write the labels of a row as a list"
        )
    items = column.flatten()
    if pa.types.is_nested(items.type):
        raise JobError(
            f"task multi_label: {name!r} is {column.type}; a row's labels are a list of texts or numbers"
        )
    missing = items.null_count
    if missing:
        raise InputError(f"data.label: {missing:,} labels in the lists of {name!r} are missing")
    plain = decode_dictionary(items)
    found = _list_labels(name, plain)
    if not found:
        raise InputError(f"data.label: no list of {name!r} holds a label")
    labels = _settle_labels(name, found, said)
    numbers = _number_labels(name, plain, labels)

    rows = len(column)
    # The row of each item, as the items of all rows stand in one array.
    lengths = list_lengths(column)
    every = np.arange(rows)
    row_of_item = np.repeat(every, lengths)
    shape = (rows, len(labels))
    targets = np.zeros(shape, np.float32)
    targets[row_of_item, numbers] = 1
    return Labelled("multi_label", labels, targets)


def _find_flags(columns: Columns, said: _Said) -> Labelled:
    """Return what is learned of columns of 0 and 1, one for each label."""
    names = tuple(columns)
    labels = _settle_labels("the labels", names, said)
    # All of them in one message.
    others = [name for name in columns if not is_flag(columns[name])]
    if others:
        quoted = quote_names(others)
        raise JobError(f"task multi_label: {quoted} hold other numbers than 0 and 1")
    flags = []
    for label in labels:
        column = columns[label]
        floats = column.cast(pa.float32())
        flag = floats.to_numpy()
        flags.append(flag)
    targets = np.column_stack(flags)
    return Labelled("multi_label", labels, targets)


def _find_numbers(columns: Columns) -> Labelled:
    arrays = []
    labels: list[str] = []
    for name, column in columns.items():
        wide = _to_wide_numbers(name, column)
        arrays.append(wide)
        _, width = wide.shape
        if width == 1:
            labels.append(name)
            continue
        labels += [f"{name}_{number}" for number in range(width)]
    targets = np.concatenate(arrays, axis=1)
    _refuse_constant(labels, targets)
    # Of one number a row is that number, as losses of one number take it.
    if len(labels) == 1:
        targets = targets[:, 0]
    return Labelled("regression", tuple(labels), targets)


def _refuse_constant(labels: Names, targets: np.ndarray) -> None:
    spreads = np.ptp(targets, axis=0)
    pairs = zip(labels, spreads, strict=True)
    constant = [label for label, spread in pairs if spread == 0]
    if constant:
        names = quote_names(constant)
        rows = len(targets)
        raise InputError(
            f"data.label: {names} has one value in all {rows:,} rows; there is nothing to learn"
        )


def _to_wide_numbers(name: str, column: pa.Array) -> np.ndarray:
    """Return a column of numbers, or of lists of them, as float64 (rows, numbers)."""
    dtype = column.type
    values = column
    width = 1
    if is_list(dtype):
        width = _find_width(name, column)
        values = column.flatten()
    # Arrow rounds decimals otherwise on their way to doubles.
    if pa.types.is_decimal(values.type):
        values = to_nearest_doubles(values)
    if not is_number(values.type):
        raise JobError(f"task regression: {name!r} is {dtype}, and no number")

    double = pa.float64()
    doubles = values.cast(double, safe=False)
    numbers = doubles.to_numpy(zero_copy_only=False)
    is_infinite = ~np.isfinite(numbers)
    infinite = int(np.count_nonzero(is_infinite))
    if infinite:
        raise InputError(
            f"data.label: {name!r} has {infinite:,} numbers that are infinite or missing; mend them, "
            "or leave such rows out"
        )
    rows = len(column)
    return numbers.reshape(rows, width)


def _find_width(name: str, column: pa.Array) -> int:
    """Return how many items each list has.

    Raises:
        InputError: they have different numbers of them, or none.
    """
    lengths = list_lengths(column)
    shortest = int(lengths.min())
    longest = int(lengths.max())
    # Lists without any number have one length, too.
    if shortest != longest or not shortest:
        raise InputError(
            f"data.label: the lists of {name!r} have {shortest:,} to {longest:,} items; a "
            "regression takes lists of one length"
        )
    return shortest
