"""Columns of several labels a row, as metrics take them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, ChunkedArray, DataType
from pyarrow.types import (
    is_boolean,
    is_dictionary,
    is_fixed_size_list,
    is_integer,
    is_large_list,
    is_large_string,
    is_list,
    is_string,
)

from configs.errors import InputError

Numbers: TypeAlias = np.ndarray
Columns: TypeAlias = Mapping[str, ChunkedArray]


@dataclass(frozen=True)
class LabelSets:
    """The labels of some rows.

    Attributes:
        rows: how many.
        row: int64 (pairs,), and
        label: int64 (pairs,): a row, and the place in `names` of a label that it has.
        names: all labels that a row has, or might have.
    """

    rows: int
    row: Numbers
    label: Numbers
    names: list[str]


def list_names(
    columns: Columns,
    separator: str | None,
    known: Sequence[str],
) -> LabelSets:
    """Return the labels of each row.

    Args:
        columns: one of lists of labels, or of texts with a separator between them, or of lists of 0
            and 1 for each known label; or several of 0 and 1 (or false and true), by the label.
        separator: or None.
        known: the model's labels, by class number.

    Raises:
        InputError: columns of another kind.
    """
    if len(columns) > 1:
        return _read_flags(columns)

    ((name, column),) = columns.items()
    whole = column.combine_chunks()
    if is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    whole = split_texts(whole, separator)
    dtype = whole.type
    if not holds_lists(dtype):
        hint = hint_at_separator(dtype, "';' for example says what stands between labels")
        raise InputError(
            f"{name!r} of type {dtype} holds no lists of labels{hint}; or name the columns of 0 "
            "and 1, one --label for each label"
        )

    # Lists of 0 and 1 first: as labels they would be read without an error.
    flags = _read_listed_flags(whole, known)
    if flags is not None:
        return flags
    return _read_lists(whole, name)


def order_names(
    truth: LabelSets,
    predicted: LabelSets,
    known: Sequence[str],
) -> list[str]:
    """Return all labels: in the model's order where it knows them all, and else sorted.

    Args:
        truth, predicted: labels of the rows.
        known: the model's, by class number.
    """
    # A label that the model does not know has no place in its order.
    found = {*truth.names, *predicted.names}
    is_known = found.issubset(known)
    if known and is_known:
        return list(known)
    return sorted(found)


def to_matrix(sets: LabelSets, names: Sequence[str]) -> Numbers:
    """Return int8 (rows, labels), 1 where a row has a label.

    Args:
        sets: labels of the rows.
        names: all labels, in the order of the columns.
    """
    column_of_name = {name: place for place, name in enumerate(names)}
    column_of_label = [column_of_name[name] for name in sets.names]
    # Of this type also where there is no label, and numpy would choose float64.
    numbers = np.array(column_of_label, dtype=np.int64)
    labels = len(names)
    shape = (sets.rows, labels)
    matrix = np.zeros(shape, dtype=np.int8)
    # A label that a row names twice is one label.
    columns = numbers[sets.label]
    matrix[sets.row, columns] = 1
    return matrix


def holds_lists(dtype: DataType) -> bool:
    """Tell whether a column of this type holds lists."""
    if is_fixed_size_list(dtype):
        return True
    return is_list(dtype) or is_large_list(dtype)


def holds_texts(dtype: DataType) -> bool:
    """Tell whether a column of this type holds texts."""
    return is_string(dtype) or is_large_string(dtype)


def hint_at_separator(dtype: DataType, said: str) -> str:
    """Return how texts become lists, as the end of a refusal; nothing for other columns.

    Args:
        dtype: of the column.
        said: a separator, and what it says.
    """
    if not holds_texts(dtype):
        return ""
    return f"; --separator {said}"


def split_texts(texts: Array, separator: str | None) -> Array:
    """Return the labels of each text; an empty one has none.

    Args:
        texts: labels of a row, one text each; other columns stay as they are.
        separator: what stands between labels; None where nobody has said it.
    """
    # A text of several labels is a list as soon as it is split.
    if separator is None or not holds_texts(texts.type):
        return texts
    lists = []
    for text in texts.to_pylist():
        pieces = text.split(separator)
        parts = [part.strip() for part in pieces]
        named = [part for part in parts if part]
        lists.append(named)
    # The type is said, as lists without a label have none by themselves.
    text = pa.string()
    dtype = pa.list_(text)
    return pa.array(lists, dtype)


def _read_flags(columns: Columns) -> LabelSets:
    """Return the labels whose columns are 1."""
    rows = []
    labels = []
    for place, (name, column) in enumerate(columns.items()):
        flags = _read_flag(name, column)
        row = np.flatnonzero(flags)
        rows.append(row)
        count = len(row)
        label = np.full(count, place)
        labels.append(label)
    # The last column's, which has as many rows as each.
    row_count = len(column)
    row = np.concatenate(rows)
    label = np.concatenate(labels)
    names = list(columns)
    return LabelSets(row_count, row, label, names)


def _read_flag(name: str, column: ChunkedArray) -> Numbers:
    """Return 0 or 1 of each row, as float64."""
    # Truth values and numbers alike become 0.0 and 1.0.
    floating = pa.float64()
    try:
        numbers = column.cast(floating)
    except pa.ArrowException as error:
        raise InputError(f"{name!r} of type {column.type} holds no 0 and 1") from error
    flags: np.ndarray = numbers.to_numpy()
    if not _are_flags(flags):
        raise InputError(f"{name!r} holds other numbers than 0 and 1")
    return flags


def _are_flags(numbers: np.ndarray) -> bool:
    is_flag = np.isin(numbers, (0, 1))
    return bool(is_flag.all())


def _read_listed_flags(lists: Array, known: Sequence[str]) -> LabelSets | None:
    """Return the labels of lists of 0 and 1, one for each known label; None for lists of labels."""
    values = lists.flatten()
    if values.null_count:
        return None
    label_count = len(known)
    is_truth = is_boolean(values.type)
    # Of two labels, [0, 1] may as well be the numbers of both.
    is_number = is_integer(values.type) and label_count > 2
    if not is_truth and not is_number:
        return None
    lengths = lists.value_lengths()
    different_lengths = set(lengths.to_pylist())
    if different_lengths != {label_count}:
        return None
    whole = pa.int64()
    numbers = values.cast(whole)
    flags = numbers.to_numpy()
    if not _are_flags(flags):
        return None
    rows = len(lists)
    of_rows = flags.reshape(rows, -1)
    row, label = np.nonzero(of_rows)
    names = list(known)
    return LabelSets(rows, row, label, names)


def _read_lists(lists: Array, name: str) -> LabelSets:
    values = lists.flatten()
    missing_count = values.null_count
    if missing_count:
        raise InputError(f"{name!r}: {missing_count} labels in its lists are missing")
    try:
        texts = values.cast(pa.string())
    except pa.ArrowException as error:
        raise InputError(
            f"{name!r}: labels of type {values.type} cannot be compared as text"
        ) from error
    rows = len(lists)
    row_numbers = np.arange(rows)
    lengths = _to_int64(lists.value_lengths())
    row = np.repeat(row_numbers, lengths)
    encoded = texts.dictionary_encode()
    label = _to_int64(encoded.indices)
    names = encoded.dictionary.to_pylist()
    return LabelSets(rows, row, label, names)


def _to_int64(numbers: Array) -> Numbers:
    found: np.ndarray = numbers.to_numpy(zero_copy_only=False)
    return found.astype(np.int64)
