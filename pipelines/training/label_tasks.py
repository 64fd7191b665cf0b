"""Which task a label is: a class, numbers or several labels, as the types of its columns show.

Comes in: label columns as Arrow arrays. Goes out: the task; or, where the types leave it open, what
the job must say.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from model_zoo.steps.columns import decode_dictionary, is_number
from model_zoo.steps.lists import is_list
from model_zoo.training.objective import Task

Columns: TypeAlias = Mapping[str, pa.Array]
# Of whole numbers: more values than these are rather amounts.
_MOST_CLASSES = 20
# Of texts: a class of fewer rows than these on average is learned by nobody.
_ROWS_OF_A_CLASS = 2


class FoundTask(NamedTuple):
    """The task that the types of the labels show; and if they show none, why that is."""

    task: Task | None
    question: str = ""


def find_task(columns: Columns) -> FoundTask:
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
        return FoundTask("regression" if is_of_fractions else "multi_label")
    if pa.types.is_boolean(dtype):
        return FoundTask("classification")
    # Arrow counts the different values of neither structs nor maps.
    if pa.types.is_nested(dtype):
        return _refuse_type(name, dtype)

    different = pc.unique(column)
    count = len(different)
    # Decimals are amounts, whatever their values.
    if pa.types.is_decimal(dtype):
        return FoundTask("regression")
    if pa.types.is_floating(dtype):
        return _find_task_of_fractions(name, column, count)
    if pa.types.is_integer(dtype):
        return _find_task_of_whole_numbers(name, column, count)
    if _is_text(dtype):
        return _find_task_of_texts(name, column, count)
    return _refuse_type(name, dtype)


def is_flag(column: pa.Array) -> bool:
    """Tell whether a column holds nothing but 0 and 1."""
    if pa.types.is_boolean(column.type):
        return True
    different = pc.unique(column)
    values = set(different.to_pylist())
    return values <= {0, 1}


def quote_names(names: Iterable[str]) -> str:
    """Return names in quotes, separated by commas."""
    quoted = map(repr, names)
    return ", ".join(quoted)


def _ask(name: str, what: str) -> FoundTask:
    question = f"task: label {name!r} {what}: say task: classification or task: regression"
    return FoundTask(None, question)


def _refuse_type(name: str, dtype: pa.DataType) -> FoundTask:
    reason = f"label: {name!r} is {dtype}, and no text, truth value, number or list of them"
    return FoundTask(None, reason)


def _is_text(dtype: pa.DataType) -> bool:
    types = pa.types
    is_plain = types.is_string(dtype) or types.is_large_string(dtype)
    return bool(is_plain or types.is_string_view(dtype))


def _find_task_of_fractions(name: str, column: pa.Array, count: int) -> FoundTask:
    # As pandas stores whole numbers of which some are missing.
    rounded = pc.floor(column)
    is_whole = pc.equal(rounded, column)
    are_all = pc.all(is_whole)
    if count <= _MOST_CLASSES and are_all.as_py():
        return _ask(name, f"is {column.type} and has {count:,} different whole numbers")
    return FoundTask("regression")


def _find_task_of_whole_numbers(name: str, column: pa.Array, count: int) -> FoundTask:
    rows = len(column)
    if count <= _MOST_CLASSES and _has_rows_for_each(count, rows):
        return FoundTask("classification")
    return _ask(name, f"is {column.type} and has {count:,} different values")


def _has_rows_for_each(classes: int, rows: int) -> bool:
    # Of two values each is a class, however few rows have it.
    if classes <= 2:
        return True
    needed = classes * _ROWS_OF_A_CLASS
    return needed <= rows


def _find_task_of_texts(name: str, column: pa.Array, count: int) -> FoundTask:
    rows = len(column)
    if _has_rows_for_each(count, rows):
        return FoundTask("classification")
    reason = (
        f"task: label {name!r} has {count:,} different texts in {rows:,} rows, too "
        "many to be learned as classes; name another label, or say task: classification"
    )
    return FoundTask(None, reason)


def _find_task_of_several(columns: Columns) -> FoundTask:
    problems = []
    are_flags = True
    for name, column in columns.items():
        dtype = column.type
        holds_numbers = is_number(dtype) or pa.types.is_decimal(dtype)
        if not holds_numbers:
            problems.append(f"{name!r} is {dtype}")
        are_flags = are_flags and holds_numbers and is_flag(column)
    if problems:
        listed = ", ".join(problems)
        reason = f"label: of several columns each must hold numbers, and {listed}"
        return FoundTask(None, reason)
    if are_flags:
        return FoundTask("multi_label")

    booleans = []
    for name, column in columns.items():
        if pa.types.is_boolean(column.type):
            booleans.append(name)
    if booleans:
        names = quote_names(booleans)
        reason = (
            f"task: of the labels {names} are true or false and others are "
            "numbers; name labels of one kind"
        )
        return FoundTask(None, reason)
    return FoundTask("regression")
