"""Columns of several labels a row, as metrics take them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from configs.errors import InputError


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
    row: np.ndarray
    label: np.ndarray
    names: list[str]


def list_names(
    columns: Mapping[str, pa.ChunkedArray], separator: str | None, known: Sequence[str]
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
    if pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    is_text = pa.types.is_string(whole.type) or pa.types.is_large_string(whole.type)
    if is_text and separator is not None:
        whole = _split(whole, separator)
    if not _is_list(whole.type):
        hint = "; --separator ';' for example says what stands between labels" if is_text else ""
        raise InputError(
            f"{name!r} of type {whole.type} holds no lists of labels{hint}; or name the columns of 0 "
            "and 1, one --label for each label"
        )
    flags = _read_listed_flags(whole, known)
    return flags or _read_lists(whole, name)


def order_names(truth: LabelSets, predicted: LabelSets, known: Sequence[str]) -> list[str]:
    """Return all labels: in the model's order where it knows them all, and else sorted.

    Args:
        truth, predicted: labels of the rows.
        known: the model's, by class number.
    """
    found = {*truth.names, *predicted.names}
    if known and found <= set(known):
        return list(known)
    return sorted(found)


def to_matrix(sets: LabelSets, names: Sequence[str]) -> np.ndarray:
    """Return int8 (rows, labels), 1 where a row has a label.

    Args:
        sets: labels of the rows.
        names: all labels, in the order of the columns.
    """
    places = {name: place for place, name in enumerate(names)}
    columns = np.array([places[name] for name in sets.names], dtype=np.int64)
    matrix = np.zeros((sets.rows, len(names)), dtype=np.int8)
    # A label that a row names twice is one label.
    matrix[sets.row, columns[sets.label]] = 1
    return matrix


def _is_list(dtype: pa.DataType) -> bool:
    types = pa.types
    return types.is_list(dtype) or types.is_large_list(dtype) or types.is_fixed_size_list(dtype)


def _read_flags(columns: Mapping[str, pa.ChunkedArray]) -> LabelSets:
    """Return the labels whose columns are 1."""
    rows = []
    labels = []
    for place, (name, column) in enumerate(columns.items()):
        try:
            flags = column.cast(pa.float64()).to_numpy()
        except pa.ArrowException as error:
            raise InputError(f"{name!r} of type {column.type} holds no 0 and 1") from error
        if not np.isin(flags, (0, 1)).all():
            raise InputError(f"{name!r} holds other numbers than 0 and 1")
        row = np.flatnonzero(flags)
        rows.append(row)
        labels.append(np.full(len(row), place))
    count = len(next(iter(columns.values())))
    return LabelSets(count, np.concatenate(rows), np.concatenate(labels), list(columns))


def _read_listed_flags(lists: pa.Array, known: Sequence[str]) -> LabelSets | None:
    """Return the labels of lists of 0 and 1, one for each known label; None for lists of labels."""
    values = lists.flatten()
    is_number = pa.types.is_boolean(values.type) or pa.types.is_integer(values.type)
    # Of two labels, [0, 1] may as well be the numbers of both.
    is_certain = pa.types.is_boolean(values.type) or len(known) > 2
    lengths = set(lists.value_lengths().to_pylist())
    if not is_number or not is_certain or lengths != {len(known)} or values.null_count:
        return None
    flags = values.cast(pa.int64()).to_numpy().reshape(len(lists), -1)
    if not np.isin(flags, (0, 1)).all():
        return None
    row, label = np.nonzero(flags)
    return LabelSets(len(lists), row, label, list(known))


def _read_lists(lists: pa.Array, name: str) -> LabelSets:
    values = lists.flatten()
    if values.null_count:
        raise InputError(f"{name!r}: {values.null_count} labels in its lists are missing")
    try:
        texts = values.cast(pa.string())
    except pa.ArrowException as error:
        raise InputError(
            f"{name!r}: labels of type {values.type} cannot be compared as text"
        ) from error
    lengths = lists.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    row = np.repeat(np.arange(len(lists)), lengths)
    encoded = texts.dictionary_encode()
    label = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return LabelSets(len(lists), row, label, encoded.dictionary.to_pylist())


def _split(texts: pa.Array, separator: str) -> pa.Array:
    """Return the labels of each text; an empty one has none."""
    parts = [[part.strip() for part in text.split(separator)] for text in texts.to_pylist()]
    named = [[part for part in row if part] for row in parts]
    return pa.array(named, pa.list_(pa.string()))
