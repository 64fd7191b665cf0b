"""What steps do with columns that may refuse them, or rows of them: look up, cast, pad, reject."""

from collections.abc import Sequence
from math import prod
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from pyarrow import Array, DataType

from configs.errors import InputError, JobError, RejectedRows, RowError
from model_zoo.steps.columns import Column, Columns, is_number
from model_zoo.steps.lists import (
    count_levels,
    find_item_type,
    find_lists_with_missing,
    is_list,
    list_lengths,
    place_items,
)

# Of a row.
Shape: TypeAlias = tuple[int, ...]
# Of each list, int64.
Lengths: TypeAlias = np.ndarray
Flags: TypeAlias = np.ndarray


def get_column(columns: Columns, name: str, step: str) -> Column:
    """Return the column that a step names.

    Args:
        columns: all columns, by name.
        name: of the column.
        step: the word of the step, for the message.

    Raises:
        JobError: there is no such column.
    """
    if name not in columns:
        known = sorted(columns)
        raise JobError(f"preprocess step {step} names column {name!r}, but the columns are {known}")
    return columns[name]


def get_numbers(columns: Columns, name: str, step: str) -> np.ndarray:
    """Return a numeric column that a step names, (rows, ...), without a copy where that can be.

    Nulls become NaN. Booleans stay booleans; with nulls among them they are Python objects.

    Args:
        columns: all columns, by name.
        name: of the column.
        step: the word of the step, for the message.

    Raises:
        JobError: there is no such column, or it is not numeric.
    """
    column = get_column(columns, name, step)
    if isinstance(column, np.ndarray):
        return column
    if not is_number(column.type):
        raise JobError(
            f"preprocess step {step}: column {name!r} of type {column.type} is not a number; "
            "encode it (one_hot, ordinal) or decode it (image) first"
        )
    return column.to_numpy(zero_copy_only=False)


def holds_numbers(dtype: DataType) -> bool:
    """Tell whether values are lists of integers, floats or booleans, however deep."""
    item_type = find_item_type(dtype)
    return is_list(dtype) and is_number(item_type)


def to_matrix(columns: Columns, names: Sequence[str], step: str) -> np.ndarray:
    """Return numeric columns side by side, float64 (rows, numbers); a missing value is NaN.

    Args:
        columns: all columns, by name.
        names: of those that are wanted, of one number a row or of several.
        step: the word of the step, for messages.

    Raises:
        JobError: there is no such column, or it is not numeric.
    """
    parts = []
    for name in names:
        numbers = get_numbers(columns, name, step)
        flat = flatten_rows(numbers)
        exact = flat.astype(np.float64)
        parts.append(exact)
    return np.concatenate(parts, axis=1)


def make_lines(width: int, rows: int, dtype: str | np.dtype[Any]) -> np.ndarray:
    """Return room for columns side by side, (width, rows), not filled; its transpose are the rows.

    Args:
        width: numbers of a row.
        rows: of the batch.
        dtype: of the numbers.
    """
    held = np.dtype(dtype)
    # Batches have round numbers of rows. As far apart as a power of 2, numbers of a row share few
    # places of the processor's cache: networks that lay rows out took six times as long for it.
    between = 64 // held.itemsize
    whole = np.empty((width, rows + between), held)
    return whole[:, :rows]


def count_numbers_of_row(column: Column) -> int:
    """Return how many numbers one row of a column has, which are its lines of a stacked array.

    >>> count_numbers_of_row(np.zeros((3, 2)))
    2
    """
    # A value of Arrow's is one.
    if not isinstance(column, np.ndarray) or column.ndim == 1:
        return 1
    return int(column.shape[1])


def flatten_rows(numbers: np.ndarray) -> np.ndarray:
    """Return (rows, ...) as (rows, numbers), and no rows as (0, numbers).

    >>> flatten_rows(np.zeros((0, 2, 3))).shape
    (0, 6)
    """
    rows, *row_shape = numbers.shape
    # Not -1: where there are no rows, numpy cannot tell how many numbers one would have.
    width = prod(row_shape)
    return numbers.reshape(rows, width)


def refuse_missing(columns: Columns, names: Sequence[str], step: str) -> None:
    """Refuse training columns with missing values, for steps that cannot be fitted on such.

    Args:
        columns: all columns, by name.
        names: of those that are fitted on.
        step: the word of the step, for messages.

    Raises:
        InputError: the columns that have some, all of them.
        JobError: there is no such column, or it is not numeric.
    """
    incomplete = []
    for name in names:
        numbers = get_numbers(columns, name, step)
        # Booleans with nulls among them are Python objects, which `isnan` does not take.
        floats = numbers.astype(np.float64)
        is_missing = np.isnan(floats)
        if is_missing.any():
            incomplete.append(name)
    if incomplete:
        quoted = map(repr, incomplete)
        listed = ", ".join(quoted)
        have = "has" if len(incomplete) == 1 else "have"
        raise InputError(
            f"preprocess step {step} cannot be fitted on missing values, and "
            f"{listed} {have} some; put a fill step before it"
        )


def cast_array(
    name: str,
    values: np.ndarray,
    dtype: np.dtype[Any],
) -> np.ndarray:
    """Return an array (rows, ...) in another dtype.

    Args:
        name: of the column, for the message.
        values: any numeric array.
        dtype: what it becomes.

    Raises:
        RejectedRows: rows with a value that the dtype cannot hold.
    """
    # numpy warns about values that do not fit; here they are found and named instead.
    with np.errstate(invalid="ignore", over="ignore"):
        result = values.astype(dtype)
        is_changed = _find_changed(values, result)
    reject_where(is_changed, f"column {name!r}: value does not fit {dtype}")
    return result


def reject_where(is_bad: Flags, why: str) -> None:
    """Reject the rows that have a bad value.

    Args:
        is_bad: bool (rows, ...).
        why: names the column, and no value.

    Raises:
        RejectedRows: there are such rows.
    """
    # A batch without any, as nearly all are, is looked at once.
    if not is_bad.any():
        return
    count = len(is_bad)
    values_of_rows = is_bad.reshape(count, -1)
    row_is_bad = values_of_rows.any(axis=1)
    rows = np.flatnonzero(row_is_bad)
    reason = RowError(why)
    positions = rows.tolist()
    raise RejectedRows(dict.fromkeys(positions, reason))


class Padding(NamedTuple):
    """How the lists of a column become an array of one shape.

    Attributes:
        column: its name.
        shape: the length that lists are padded to; then the lengths of lists inside them, which all
            must have.
        longer: what a list of more items does: it rejects its row, or is cut.
        shorter: what a list of fewer items does: it is padded, or rejects its row.
    """

    column: str
    shape: Shape
    longer: Literal["reject", "cut"] = "reject"
    shorter: Literal["pad", "reject"] = "pad"


class Padded(NamedTuple):
    """Lists of one length.

    Attributes:
        items: (rows, *shape), zeros where there is none.
        lengths: int64 (rows,), of each list before any was cut.
    """

    items: np.ndarray
    lengths: Lengths

    def make_mask(self) -> Flags:
        """Return which places are filled, bool (rows, shape[0])."""
        length = self.items.shape[1]
        return _mark_places(self.lengths, length)


def pad_lists(columns: Columns, padding: Padding) -> Padded:
    """Return a column of lists as an array.

    Args:
        columns: all columns, by name.
        padding: which one, and how.

    Raises:
        RejectedRows: rows whose list has another length than may be, or lacks something.
        JobError: the column holds no lists of numbers as deep as the shape.
    """
    lists = _take_lists(columns, padding)
    _reject_missing(lists, padding.column)
    lengths = list_lengths(lists)
    _reject_lengths(lengths, padding)
    items = _take_items(lists, padding)
    shape = padding.shape
    is_full = lengths == shape[0]
    # All are full, as lists of a fixed size are: nothing is copied.
    if is_full.all():
        rows = len(lists)
        spread = items.reshape(rows, *shape)
    else:
        spread = _spread(items, lengths, shape)
    return Padded(spread, lengths)


def _take_lists(columns: Columns, padding: Padding) -> Array:
    name = padding.column
    column = get_column(columns, name, "pad")
    if isinstance(column, np.ndarray):
        raise JobError(
            f"preprocess step pad: column {name!r} is an array already, and no lists of numbers"
        )
    if not holds_numbers(column.type):
        raise JobError(
            f"preprocess step pad: column {name!r} is a {column.type}, and no lists of numbers"
        )
    levels = count_levels(column.type)
    wanted = len(padding.shape)
    if levels != wanted:
        shape = list(padding.shape)
        raise JobError(
            f"preprocess step pad: column {name!r} holds lists {levels} deep, and shape "
            f"{shape} is of lists {wanted} deep"
        )
    return column


def _reject_missing(lists: Array, name: str) -> None:
    missing = find_lists_with_missing(lists)
    if missing is not None:
        # Booleans are bits in Arrow, which numpy cannot look at without a copy.
        is_missing = missing.to_numpy(zero_copy_only=False)
        reject_where(is_missing, f"column {name!r}: a list is missing or lacks an item")


def _reject_lengths(lengths: Lengths, padding: Padding) -> None:
    # Before anything of that length is made.
    name = padding.column
    length = padding.shape[0]
    if padding.longer == "reject":
        is_longer = lengths > length
        why = f"column {name!r}: a list of more than {length:,} items"
        reject_where(is_longer, why)
    if padding.shorter == "reject":
        is_shorter = lengths < length
        why = f"column {name!r}: a list of fewer than {length:,} items"
        reject_where(is_shorter, why)


def _take_items(lists: Array, padding: Padding) -> np.ndarray:
    """Return the items of all lists one after the other, (items, *shape[1:]).

    Raises:
        RejectedRows: rows with an inner list of another length.
    """
    name = padding.column
    count = len(lists)
    values = lists.flatten()
    inner_shape = padding.shape[1:]
    # Which row each inner list is of; a list of numbers has none, and needs no such array.
    rows = np.empty(0, dtype=np.int64)
    if inner_shape:
        rows = _number_items(lists)
    for length in inner_shape:
        lengths = list_lengths(values)
        is_other = lengths != length
        bad_rows = rows[is_other]
        is_bad = np.zeros(count, dtype=bool)
        is_bad[bad_rows] = True
        why = f"column {name!r}: a list inside has not {length:,} items"
        reject_where(is_bad, why)
        rows = np.repeat(rows, length)
        values = values.flatten()
    numbers: np.ndarray = values.to_numpy(zero_copy_only=False)
    return numbers.reshape(-1, *inner_shape)


def _number_items(lists: Array) -> np.ndarray:
    """Return which list each item is of, int64 (items,)."""
    count = len(lists)
    numbers = np.arange(count)
    lengths = list_lengths(lists)
    return np.repeat(numbers, lengths)


def _spread(items: np.ndarray, lengths: Lengths, shape: Shape) -> np.ndarray:
    """Return items in their rows, (rows, *shape), with zeros behind them.

    Args:
        items: those of all lists, (items, *shape[1:]).
        lengths: of each list, before any is cut.
        shape: of a row.
    """
    length = shape[0]
    rows = len(lengths)
    whole_shape = (rows, *shape)
    spread = np.zeros(whole_shape, dtype=items.dtype)
    longest = lengths.max(initial=0)
    # Where nothing is cut, no item is copied.
    if longest > length:
        places = place_items(lengths)
        is_taken = places < length
        items = items[is_taken]
    mask = _mark_places(lengths, length)
    # numpy takes the true places row by row, which is the order of the items.
    spread[mask] = items
    return spread


def _mark_places(lengths: Lengths, length: int) -> Flags:
    """Return which places items take, bool (rows, length)."""
    # A longer list that was not rejected is cut.
    taken = np.minimum(lengths, length)
    places = np.arange(length)
    taken_of_rows = taken[:, None]
    mask: Flags = places < taken_of_rows
    return mask


def _find_changed(before: np.ndarray, after: np.ndarray) -> Flags:
    """Tell where a cast lost the value: an integer that differs, or a float that became infinite."""
    if after.dtype.kind == "f":
        is_infinite: Flags = np.isinf(after)
        # Nearly always none is, and what it was before needs no look.
        if not is_infinite.any():
            return is_infinite
        was_finite = np.isfinite(before)
        return is_infinite & was_finite
    is_changed: Flags = after != before
    # Only floats have NaN, which no integer can stand for.
    if before.dtype.kind == "f":
        was_nan = np.isnan(before)
        is_changed = is_changed | was_nan
    return is_changed
