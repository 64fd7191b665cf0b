"""What a Delta log tells of the values in a data file: numbers of rows and nulls, least and largest values.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics. What cannot be
understood tells nothing, so that the file is read.
"""

from collections.abc import Mapping, Sequence
import datetime as dt
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
import json
import math
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import DataType, Scalar
from pyarrow.types import is_date, is_decimal, is_floating, is_signed_integer, is_timestamp

from transforms.bounds import Bounds
from transforms.lakes.counts import read_count
from transforms.lakes.delta_actions import STATISTICS, Action
from transforms.lakes.log_bounds import make_log_bounds, read_partition
from transforms.lakes.log_values import parse_value
from transforms.lakes.snapshot import TableColumn

# Of the texts of statistics; what is longer tells nothing.
_MOST_LETTERS = 1 << 20
# Some writers made a double of a decimal first, which holds so many of its digits.
_DIGITS_OF_DOUBLE = 15


class Told(NamedTuple):
    """What the log tells of a data file.

    Attributes:
        rows: how many it has, deleted ones, too; None where the log does not tell.
        bounds: by column.
    """

    rows: int | None
    bounds: Mapping[str, Bounds]


def read_statistics(
    added: Action,
    values: Mapping[str, str | None],
    columns: Sequence[TableColumn],
) -> Told:
    """Return what the log tells of a data file.

    Args:
        added: the log's entry.
        values: by column, what the log says of all of the file's rows.
        columns: those that are asked for.
    """
    told = _parse(added.get(STATISTICS))
    rows = _to_count(told.get("numRecords"))
    bounds = {}
    for column in columns:
        if column.type is None:
            continue
        if column.name in values:
            known = read_partition(values[column.name], column.type)
        else:
            known = _read_bounds(told, column, rows)
        if known is not None:
            bounds[column.name] = known
    return Told(rows, bounds)


def _parse(given: Any) -> Mapping[str, Any]:
    # Of a checkpoint it may be parsed already.
    if isinstance(given, dict):
        return given
    if not isinstance(given, str) or len(given) > _MOST_LETTERS:
        return {}
    try:
        # A decimal has more digits than a float holds.
        told = json.loads(given, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError):
        return {}
    return told if isinstance(told, dict) else {}


def _to_count(given: Any) -> int | None:
    try:
        return read_count(given)
    except ValueError:
        return None


def _get_of_column(
    told: Mapping[str, Any],
    kind: str,
    column: TableColumn,
) -> Any:
    of_columns = told.get(kind)
    if not isinstance(of_columns, dict):
        return None
    return of_columns.get(column.stored_name)


def _read_bounds(
    told: Mapping[str, Any],
    column: TableColumn,
    rows: int | None,
) -> Bounds:
    least = most = None
    # As older files have a widened column, its ends may be rounded otherwise.
    if not column.is_widened:
        least = _read_end(told, "minValues", column)
        most = _read_end(told, "maxValues", column)
    null_count = _get_of_column(told, "nullCount", column)
    nulls = _to_count(null_count)
    return make_log_bounds(least, most, nulls, rows)


def _read_end(
    told: Mapping[str, Any],
    kind: str,
    column: TableColumn,
) -> Scalar | None:
    value = _get_of_column(told, kind, column)
    dtype = column.type
    if value is None or dtype is None:
        return None
    is_upper = kind == "maxValues"
    try:
        return _read_value(value, dtype, is_upper)
    except (ValueError, TypeError, ArithmeticError, pa.ArrowException):
        return None


def _read_value(
    value: Any,
    dtype: DataType,
    is_upper: bool,
) -> Scalar | None:
    """Return an end of a range; None where the log writes it in another way.

    Args:
        value: as JSON has it, or a checkpoint.
        dtype: the column's type.
        is_upper: whether it is the upper end.

    Raises:
        ValueError, TypeError, ArithmeticError, ArrowException: it is none of this type.
    """
    is_text = isinstance(value, str)
    # To Python true is 1.
    is_truth = isinstance(value, bool)
    if is_signed_integer(dtype):
        is_whole = isinstance(value, int) and not is_truth
        return pa.scalar(value, dtype) if is_whole else None
    if is_floating(dtype):
        number = math.nan if is_text or is_truth else float(value)
        # Some writers call NaN the largest number, and others leave it out.
        is_end = math.isfinite(number)
        return pa.scalar(number, dtype) if is_end else None
    if is_decimal(dtype):
        return None if is_text else _read_decimal(value, dtype, is_upper)
    if dtype == pa.string():
        return pa.scalar(value, dtype) if is_text else None
    if is_date(dtype) or is_timestamp(dtype):
        # A checkpoint has them as they are; moments are days to Python, too.
        if isinstance(value, dt.date):
            return pa.scalar(value, dtype)
        (moment,) = parse_value(value, dtype)
        return moment
    return None


def _read_decimal(
    value: Any,
    dtype: DataType,
    is_upper: bool,
) -> Scalar:
    number = Decimal(value)
    digits = dtype.precision
    if digits > _DIGITS_OF_DOUBLE:
        # As far away as a double may be.
        size = abs(number)
        doubt = size.scaleb(-_DIGITS_OF_DOUBLE)
        number = number + doubt if is_upper else number - doubt
    step = Decimal(1).scaleb(-dtype.scale)
    # Away from the values, so that none of them is outside.
    rounding = ROUND_CEILING if is_upper else ROUND_FLOOR
    rounded = number.quantize(step, rounding=rounding)
    return pa.scalar(rounded, dtype)
