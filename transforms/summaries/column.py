"""A state of one column: of its values, and of their lengths where they have any."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType
import pyarrow.compute as pc
from pyarrow.types import (
    is_binary,
    is_boolean,
    is_decimal,
    is_dictionary,
    is_fixed_size_binary,
    is_floating,
    is_integer,
    is_large_binary,
    is_large_string,
    is_nested,
    is_string,
)

from model_zoo.steps.arrays import holds_numbers
from model_zoo.steps.decimals import to_nearest_doubles
from model_zoo.steps.lists import is_list
from model_zoo.steps.moments import is_moment
from model_zoo.steps.picture_sizes import read_sizes
from transforms.logical_types import decode
from transforms.summaries.chosen_rows import ChosenRows
from transforms.summaries.known import Known, Measure
from transforms.summaries.numbers import Choice, CutPoints, Numbers, count_numbers, merge_numbers
from transforms.summaries.values import Values, count_values, merge_values

# Gives the numbers of a column, without missing ones; None of one that has none.
_FindNumbers: TypeAlias = Callable[[Array], np.ndarray | None]
# Where no larger part of a batch's rows has a value, hardly any would be in the chosen ones, and to count all
# takes no longer than to choose. Each counts for as many as it stands for in its batch: without a bias.
_MOSTLY_EMPTY = 1 / 4


class ColumnState(NamedTuple):
    """What is known of one measure of a column.

    Attributes:
        type: of the column.
        rows: how many there are, with missing ones.
        missing: how many are null.
        numbers, values: of the others; None where they are no numbers, and no texts or booleans.
    """

    type: str
    rows: int
    missing: int
    numbers: Numbers | None = None
    values: Values | None = None


_NOTHING_KNOWN = Known()


def measure_column(
    column: Array,
    value: Known = _NOTHING_KNOWN,
    length: Known = _NOTHING_KNOWN,
    chosen: ChosenRows | None = None,
) -> dict[Measure, ColumnState]:
    """Return what is known of a column: always of its values, and of its lengths where it has any.

    Args:
        column: of any type.
        value, length: what the reference says of either.
        chosen: the rows whose numbers are counted, where the column is not mostly empty; None of all.
    """
    name = str(column.type)
    # First, as most columns are: to ask for all other types takes longer than to count some.
    if _is_number(column.type):
        numbers = _count(column, _to_array, value.cuts, chosen)
        return {"value": ColumnState(name, len(column), column.null_count, numbers)}
    column = _to_plain(column)
    # Of a dictionary, a missing value may be one of its own.
    state = ColumnState(name, len(column), column.null_count)
    of_values = _measure_values(column, state, value, chosen)
    states: dict[Measure, ColumnState] = {"value": of_values}
    lengths = _count(column, _find_lengths, length.cuts, chosen)
    if lengths is not None:
        states["length"] = state._replace(numbers=lengths)
    return states


def measure_pictures(pictures: np.ndarray) -> ColumnState:
    """Return what is known of the brightness of pictures: of the mean of all numbers of each.

    Args:
        pictures: (rows, channels, height, width), or with channels last.
    """
    # One by one: numpy adds up in another order where there is one picture alone.
    means = [picture.mean(dtype=np.float32) for picture in pictures]
    brightness = np.array(means, dtype=np.float32)
    numbers = count_numbers(brightness, None)
    return ColumnState(str(pictures.dtype), len(pictures), 0, numbers)


def measure_sizes(column: Array, max_pixels: int) -> dict[Measure, ColumnState]:
    """Return what is known of the widths and heights of encoded pictures; of broken ones nothing is.

    Args:
        column: of binary values.
        max_pixels: the most that a picture may have.
    """
    column = _to_plain(column)
    state = ColumnState(str(column.type), len(column), column.null_count)
    widths, heights = read_sizes(column, max_pixels).T
    return {
        "width": state._replace(numbers=count_numbers(widths, None)),
        "height": state._replace(numbers=count_numbers(heights, None)),
    }


def merge_columns(first: ColumnState, second: ColumnState) -> ColumnState:
    """Return what is known of the rows of both."""
    numbers = first.numbers
    if numbers is not None and second.numbers is not None:
        numbers = merge_numbers(numbers, second.numbers)
    values = first.values
    if values is not None and second.values is not None:
        values = merge_values(values, second.values)
    return ColumnState(
        first.type,
        first.rows + second.rows,
        first.missing + second.missing,
        numbers,
        values,
    )


def _measure_values(
    column: Array,
    state: ColumnState,
    known: Known,
    chosen: ChosenRows | None,
) -> ColumnState:
    # All of them, of chosen rows, too: a new value may be in one row alone.
    if _names_values(column.type):
        values = count_values(column, known.values)
        return state._replace(values=values)
    numbers = _count(column, _find_numbers, known.cuts, chosen)
    return state._replace(numbers=numbers)


def _count(
    column: Array,
    find_numbers: _FindNumbers,
    cuts: CutPoints | None,
    rows: ChosenRows | None,
) -> Numbers | None:
    """Return what is known of the numbers that are found in a column; None of one that has none."""
    numbers = find_numbers(column)
    if numbers is None:
        return None
    few = int(len(column) * _MOSTLY_EMPTY)
    rows_with_value = len(column) - column.null_count
    # Of lists by their rows: few of them may hold many numbers.
    if rows is None or rows_with_value <= few:
        return count_numbers(numbers, cuts)
    positions = rows.positions

    def choose(numbers: np.ndarray) -> np.ndarray:
        # One number of each row, as most columns have.
        if not column.null_count and not is_nested(column.type):
            return numbers.take(positions)
        some = find_numbers(column.take(pa.array(positions)))
        return numbers[:0] if some is None else some.astype(numbers.dtype)

    return count_numbers(numbers, cuts, Choice(choose, rows.weight, few))


def _to_plain(column: Array) -> Array:
    """Return a column in a form that Arrow can count, as it is where that can be."""
    dtype = column.type
    # Counted by its numbers, which is faster than to look at each text.
    if is_dictionary(dtype) and _is_text(dtype.value_type) and not column.dictionary.null_count:
        return column
    return decode(column)


def _names_values(dtype: DataType) -> bool:
    return bool(is_dictionary(dtype) or _is_text(dtype) or is_boolean(dtype))


def _is_text(dtype: DataType) -> bool:
    return bool(is_string(dtype) or is_large_string(dtype))


def _find_numbers(column: Array) -> np.ndarray | None:
    """Return the numbers of a column, or those in its lists, without missing ones; None of others."""
    dtype = column.type
    if is_decimal(dtype):
        column = to_nearest_doubles(column)
    elif is_moment(dtype):
        column = _to_integers(column)
    elif holds_numbers(dtype):
        while is_list(column.type):
            column = column.flatten()
        # Of lists of booleans the share of those that are true is told.
        if is_boolean(column.type):
            column = column.cast(pa.int8())
    if not _is_number(column.type):
        return None
    return _to_array(column)


def _is_number(dtype: DataType) -> bool:
    return bool(is_floating(dtype) or is_integer(dtype))


def _to_integers(column: Array) -> Array:
    """Return dates, times and durations as the counts of their unit that Arrow stores."""
    width = pa.int32() if column.type.bit_width == 32 else pa.int64()
    return column.view(width)


def _to_array(column: Array) -> np.ndarray:
    if column.null_count:
        column = column.drop_null()
    return column.to_numpy(zero_copy_only=False)


def _find_lengths(column: Array) -> np.ndarray | None:
    """Return the lengths (int) of values that are there; None where values have none."""
    dtype = column.type
    if is_dictionary(dtype):
        lengths = pc.binary_length(column.dictionary).to_numpy(zero_copy_only=False)
        return lengths[column.indices.drop_null().to_numpy()]
    if _is_text(dtype) or is_binary(dtype) or is_large_binary(dtype):
        return _to_array(pc.binary_length(column))
    # Of a fixed size all are alike.
    is_fixed = is_fixed_size_binary(dtype) or pa.types.is_fixed_size_list(dtype)
    if is_list(dtype) and not is_fixed:
        return _to_array(pc.list_value_length(column))
    return None
