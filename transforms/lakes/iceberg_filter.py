"""A job's filter for pyiceberg, which leaves out whole manifests, and data files by buckets, days and the like.

Only what both take alike becomes an expression: comparisons of columns with values of their own type,
joined by `and` and `or`. Whatever else the filter says may be true of any row there: files are chosen
afterwards by what manifests say of each, and rows by the filter itself.
"""

import ast
from collections.abc import Mapping
import datetime as dt
from typing import Any

import pyarrow as pa
from pyarrow import DataType
from pyarrow.types import is_date, is_integer, is_string, is_timestamp
from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    EqualTo,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    NotNull,
    Or,
)

from transforms.where import NOT_COMPARABLE, SOURCE, Expression, parse_where, read_literal

_COMPARE: dict[type[ast.cmpop], Any] = {
    ast.Eq: EqualTo,
    ast.Lt: LessThan,
    ast.LtE: LessThanOrEqual,
    ast.Gt: GreaterThan,
    ast.GtE: GreaterThanOrEqual,
}
# Some writers took the last day, month or year before 1970 for the first one of it.
_RELIABLE = dt.datetime(1971, 1, 1, tzinfo=dt.UTC)
_MICROSECONDS = "us"


def make_row_filter(where: str, types: Mapping[str, DataType | None]) -> BooleanExpression:
    """Return an expression that is true of every row that a filter keeps, and maybe of others.

    Args:
        where: the filter.
        types: of the table's columns.

    Raises:
        JobError: it is no filter.
    """
    expression = parse_where(where, SOURCE)
    return _translate(expression.tree, expression, types)


def _translate(
    node: ast.expr,
    expression: Expression,
    types: Mapping[str, DataType | None],
) -> BooleanExpression:
    match node:
        case ast.BoolOp(op=op, values=values):
            each = [_translate(value, expression, types) for value in values]
            join: Any = And if isinstance(op, ast.And) else Or
            return join(*each)
        case ast.Compare(left=ast.Name(id=word), ops=[op], comparators=[right]):
            name = expression.quoted.get(word, word)
            dtype = types.get(name)
            if dtype is not None:
                return _translate_comparison(name, dtype, op, right)
    return AlwaysTrue()


def _translate_comparison(
    name: str,
    dtype: DataType,
    op: ast.cmpop,
    right: ast.expr,
) -> BooleanExpression:
    is_none = isinstance(right, ast.Constant) and right.value is None
    if is_none and isinstance(op, ast.Is):
        return IsNull(name)
    if is_none and isinstance(op, ast.IsNot):
        return NotNull(name)
    if isinstance(op, ast.In) and isinstance(right, ast.List | ast.Tuple):
        options = [_convert(option, dtype) for option in right.elts]
        if not options or None in options:
            return AlwaysTrue()
        return In(name, options)
    compare = _COMPARE.get(type(op))
    value = _convert(right, dtype)
    if compare is None or value is None:
        return AlwaysTrue()
    expression: BooleanExpression = compare(name, value)
    return expression


def _convert(node: ast.expr, dtype: DataType) -> Any:
    """Return a value as pyiceberg compares it with a column; None where that may differ."""
    try:
        literal = read_literal(node)
        if literal is None:
            return None
        if is_integer(dtype) and literal.type == pa.int64():
            return literal.as_py()
        if not is_string(literal.type):
            return None
        if is_string(dtype):
            return literal.as_py()
        if is_date(dtype):
            day = literal.cast(dtype).as_py()
            return day if day >= _RELIABLE.date() else None
        if is_timestamp(dtype) and dtype.unit == _MICROSECONDS:
            moment = literal.cast(dtype).as_py()
            in_utc = moment.replace(tzinfo=dt.UTC)
            return moment if in_utc >= _RELIABLE else None
    # Refused by name where rows are.
    except NOT_COMPARABLE:
        return None
    return None
