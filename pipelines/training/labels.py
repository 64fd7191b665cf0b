"""The column that is learned: which task it is, its labels by class number, and the targets.

Comes in: label columns as Arrow arrays, and what the job says. Goes out: numbers for the loss, one
row of them for each row that has its label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import InputError, JobError
from model_zoo.steps.columns import decode_dictionary, is_number
from model_zoo.steps.decimals import to_nearest_doubles
from model_zoo.steps.lists import is_list, list_lengths
from model_zoo.training.objective import Task

# Of whole numbers: more values than these are rather amounts.
_MOST_CLASSES = 20
# Of texts: a class of fewer rows than these on average is learned by nobody.
_ROWS_OF_A_CLASS = 2
# A rarer label than one in so many rows is told.
_RARE = 5
_SHOWN_LABELS = 5
Columns = Mapping[str, pa.Array]


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
    labels: tuple[str, ...]
    targets: np.ndarray


def find_labelled(columns: Columns) -> np.ndarray:
    """Return (bool) which rows have all of their labels."""
    is_labelled = None
    for column in columns.values():
        is_missing = pc.is_null(column, nan_is_null=True)
        is_present = pc.invert(is_missing).to_numpy(zero_copy_only=False)
        is_labelled = is_present if is_labelled is None else is_labelled & is_present
    assert is_labelled is not None  # noqa: S101 - a job names a label before this is called
    return is_labelled


def find_task(columns: Columns) -> tuple[Task | None, str]:
    """Return the task that the types of the labels show; and if they show none, why that is.

    Args:
        columns: labels of the rows that have one, by name.
    """
    if len(columns) > 1:
        return _find_task_of_several(columns)
    ((name, column),) = columns.items()
    column = decode_dictionary(column)
    dtype = column.type
    if is_list(dtype):
        is_of_fractions = pa.types.is_floating(dtype.value_type)
        return ("regression" if is_of_fractions else "multi_label"), ""
    if pa.types.is_boolean(dtype):
        return "classification", ""
    count = len(pc.unique(column))
    if pa.types.is_decimal(dtype):
        return "regression", ""
    if pa.types.is_floating(dtype):
        # As pandas stores whole numbers of which some are missing.
        is_whole = pc.all(pc.equal(pc.floor(column), column)).as_py()
        if is_whole and count <= _MOST_CLASSES:
            return None, _ask(name, f"is {dtype} and has {count:,} different whole numbers")
        return "regression", ""
    if pa.types.is_integer(dtype):
        if count <= _MOST_CLASSES and (count <= 2 or count * _ROWS_OF_A_CLASS <= len(column)):
            return "classification", ""
        return None, _ask(name, f"is {dtype} and has {count:,} different values")
    if _is_text(dtype):
        if count > 2 and count * _ROWS_OF_A_CLASS > len(column):
            return None, (
                f"task: label {name!r} has {count:,} different texts in {len(column):,} rows, too "
                "many to be learned as classes; name another label, or say task: classification"
            )
        return "classification", ""
    return None, f"label: {name!r} is {dtype}, and no text, truth value, number or list of them"


def find_labels(task: Task, columns: Columns, wanted: Sequence[str], known_only: bool) -> Labelled:
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
    if task == "classification":
        return _find_classes(columns, wanted, known_only)
    if task == "multi_label":
        labelled = _find_label_sets(columns, wanted, known_only)
        if len(labelled.labels) == 1:
            raise InputError(
                f"data.label: there is one label alone, {labelled.labels[0]!r}; make it a column of 0 "
                "and 1, or true and false, which is a classification"
            )
        return labelled
    return _find_numbers(columns)


def describe_balance(labelled: Labelled) -> list[str]:
    """Return what a person should know of how often labels come, in words."""
    if labelled.task != "classification":
        return []
    counts = np.bincount(labelled.targets, minlength=len(labelled.labels))
    fair_share = len(labelled.targets) / len(labelled.labels)
    rare = np.flatnonzero(counts * _RARE < fair_share * 2)
    told = [f"{labelled.labels[n]!r} is of {counts[n]:,} rows" for n in rare[:_SHOWN_LABELS]]
    if not told:
        return []
    more = len(rare) - len(told)
    others = f", and {more:,} more labels" if more else ""
    return [
        f"imbalanced: of {len(labelled.targets):,} rows {', '.join(told)}{others}; "
        "--set training.class_weights=balanced gives all labels the same weight"
    ]


def _ask(name: str, what: str) -> str:
    return f"task: label {name!r} {what}: say task: classification or task: regression"


def _is_text(dtype: pa.DataType) -> bool:
    is_plain = pa.types.is_string(dtype) or pa.types.is_large_string(dtype)
    return bool(is_plain or pa.types.is_string_view(dtype))


def _find_task_of_several(columns: Columns) -> tuple[Task | None, str]:
    problems = []
    are_flags = True
    for name, column in columns.items():
        if not is_number(column.type) and not pa.types.is_decimal(column.type):
            problems.append(f"{name!r} is {column.type}")
        are_flags = are_flags and not problems and _is_flag(column)
    if problems:
        return None, (
            f"label: of several columns each must hold numbers, and {', '.join(problems)}"
        )
    if are_flags:
        return "multi_label", ""
    booleans = [name for name, column in columns.items() if pa.types.is_boolean(column.type)]
    if booleans:
        return None, (
            f"task: of the labels {', '.join(map(repr, booleans))} are true or false and others are "
            "numbers; name labels of one kind"
        )
    return "regression", ""


def _is_flag(column: pa.Array) -> bool:
    """Tell whether a column holds nothing but 0 and 1."""
    if pa.types.is_boolean(column.type):
        return True
    values = set(pc.unique(column).to_pylist())
    return values <= {0, 1}


def _to_text(column: pa.Array, name: str) -> pa.Array:
    """Return labels as text, as evaluation compares them."""
    try:
        return decode_dictionary(column).cast(pa.string())
    except pa.ArrowException as error:
        raise JobError(
            f"data.label: {name!r} of type {column.type} has no text for its values; name another, "
            "or say task: regression"
        ) from error


def _find_classes(columns: Columns, wanted: Sequence[str], known_only: bool) -> Labelled:
    if len(columns) > 1:
        raise JobError(
            f"task classification: label names {len(columns)} columns; of one label a row is one "
            "column; several of 0 and 1 are task: multi_label"
        )
    ((name, column),) = columns.items()
    if is_list(column.type):
        raise JobError(f"task classification: {name!r} holds lists; say task: multi_label")
    plain = decode_dictionary(column)
    # In their own order: 10 comes after 9, and not after 1.
    found = _to_text(pc.unique(plain).sort(), name).to_pylist()
    labels = _settle_labels(name, found, wanted, known_only)
    if len(found) < 2:
        raise InputError(
            f"data.label: {name!r} has one value in all {len(column):,} rows, {found[0]!r}; there "
            "is nothing to tell apart; give rows of other labels, too"
        )
    numbers = pc.index_in(_to_text(plain, name), value_set=pa.array(labels, pa.string()))
    targets = numbers.to_numpy(zero_copy_only=False).astype(np.int64)
    return Labelled("classification", labels, targets)


def _settle_labels(
    name: str, found: Sequence[str], wanted: Sequence[str], known_only: bool
) -> tuple[str, ...]:
    """Return labels by class number.

    Raises:
        JobError: the job or the package says others than there are.
    """
    if not wanted:
        return tuple(found)
    strangers = [label for label in found if label not in wanted]
    if known_only:
        if strangers:
            shown = ", ".join(map(repr, strangers[:_SHOWN_LABELS]))
            raise JobError(
                f"data.label: {name!r} has {len(strangers):,} labels that the package does not know, "
                f"{shown}; it knows {', '.join(map(repr, wanted[:_SHOWN_LABELS]))}; leave such rows "
                "out, or train a new model without --from"
            )
        return tuple(wanted)
    # All of them, and no others: a label that is left out would be a class that is never learned.
    if strangers or len(found) != len(wanted):
        raise JobError(
            f"data.labels must be the values of {name}: {sorted(found)}, got {list(wanted)}"
        )
    return tuple(wanted)


def _find_label_sets(columns: Columns, wanted: Sequence[str], known_only: bool) -> Labelled:
    if len(columns) > 1:
        names = tuple(columns)
        labels = _settle_labels("the labels", names, wanted, known_only)
        others = [name for name, column in columns.items() if not _is_flag(column)]
        if others:
            raise JobError(
                f"task multi_label: {', '.join(map(repr, others))} hold other numbers than 0 and 1"
            )
        flags = [columns[label].cast(pa.float32()).to_numpy() for label in labels]
        return Labelled("multi_label", labels, np.column_stack(flags))
    ((name, column),) = columns.items()
    if not is_list(column.type):
        raise JobError(
            f"task multi_label: {name!r} is {column.type}, and no list of labels; name the columns of "
            "0 and 1, --label once for each, or write the labels of a row as a list"
        )
    items = column.flatten()
    if items.null_count:
        raise InputError(
            f"data.label: {items.null_count:,} labels in the lists of {name!r} are missing"
        )
    plain = decode_dictionary(items)
    found = _to_text(pc.unique(plain).sort(), name).to_pylist()
    if not found:
        raise InputError(f"data.label: no list of {name!r} holds a label")
    labels = _settle_labels(name, found, wanted, known_only)
    numbers = pc.index_in(_to_text(plain, name), value_set=pa.array(labels, pa.string()))
    rows = np.repeat(np.arange(len(column)), list_lengths(column))
    targets = np.zeros((len(column), len(labels)), dtype=np.float32)
    targets[rows, numbers.to_numpy(zero_copy_only=False)] = 1
    return Labelled("multi_label", labels, targets)


def _find_numbers(columns: Columns) -> Labelled:
    arrays = []
    labels: list[str] = []
    for name, column in columns.items():
        wide = _to_wide_numbers(name, column)
        width = wide.shape[1]
        labels += [name] if width == 1 else [f"{name}_{number}" for number in range(width)]
        arrays.append(wide)
    targets = np.concatenate(arrays, axis=1)
    constant = [name for name, values in zip(labels, targets.T, strict=True) if np.ptp(values) == 0]
    if constant:
        raise InputError(
            f"data.label: {', '.join(map(repr, constant))} has one value in all "
            f"{len(targets):,} rows; there is nothing to learn"
        )
    return Labelled("regression", tuple(labels), targets[:, 0] if len(labels) == 1 else targets)


def _to_wide_numbers(name: str, column: pa.Array) -> np.ndarray:
    """Return a column of numbers, or of lists of them, as float64 (rows, numbers)."""
    values = column
    width = 1
    if is_list(column.type):
        lengths = np.unique(list_lengths(column)).tolist()
        if len(lengths) != 1 or not lengths[0]:
            raise InputError(
                f"data.label: the lists of {name!r} have {lengths[0]:,} to {lengths[-1]:,} items; a "
                "regression takes lists of one length"
            )
        (width,) = lengths
        values = column.flatten()
    if pa.types.is_decimal(values.type):
        values = to_nearest_doubles(values)
    if not is_number(values.type):
        raise JobError(f"task regression: {name!r} is {column.type}, and no number")
    numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    infinite = int(np.count_nonzero(~np.isfinite(numbers)))
    if infinite:
        raise InputError(
            f"data.label: {name!r} has {infinite:,} numbers that are infinite or missing; mend them, "
            "or leave such rows out"
        )
    return numbers.reshape(len(column), width)
