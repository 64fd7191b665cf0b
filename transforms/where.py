"""The filter of a job, `where: probability >= 0.9 and label == 'malignant'`, as a mask over columns.

The expression has Python's syntax and nothing of its power: comparisons, `in`, `and`, `or`, `not`, numbers, strings, True, False,
None, and column names (in backticks when they are not plain words). As in SQL, a comparison with null is neither true nor false,
and only rows where the whole is true are kept.
"""

import ast
from collections.abc import Mapping
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import JobError

_COMPARE = {
    ast.Eq: pc.equal,
    ast.NotEq: pc.not_equal,
    ast.Lt: pc.less,
    ast.LtE: pc.less_equal,
    ast.Gt: pc.greater,
    ast.GtE: pc.greater_equal,
}
_QUOTED = re.compile(r"`([^`]+)`")


def where_mask(where: str, columns: Mapping[str, pa.Array], rows: int) -> np.ndarray:
    """Which rows to keep, bool (rows,).

    Raises:
        JobError: the expression is not of the allowed form, or names a column that is not there.
    """
    tree, quoted = _parse(where)
    try:
        result = _evaluate(tree, columns, quoted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, OverflowError) as error:
        raise JobError(f"postprocess.where: {where}: cannot be compared: {error}") from error
    if not pa.types.is_boolean(result.type):
        raise JobError(f"postprocess.where: {where}: is a value of type {result.type}, not true or false; compare it")
    if isinstance(result, pa.Scalar):
        return np.full(rows, bool(result.as_py()))
    mask: np.ndarray = result.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def where_columns(where: str) -> list[str]:
    """Names of the columns that the expression reads, sorted."""
    tree, quoted = _parse(where)
    return sorted({quoted.get(n.id, n.id) for n in ast.walk(tree) if isinstance(n, ast.Name)})


def _parse(where: str) -> tuple[ast.expr, dict[str, str]]:
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        name = f"_quoted_{len(quoted)}"
        quoted[name] = match.group(1)
        return name

    try:
        return ast.parse(f"({_QUOTED.sub(stand_in, where)}\n)", mode="eval").body, quoted  # in brackets it may span lines
    except SyntaxError as error:
        raise JobError(f"postprocess.where: {where}: not a valid expression; write for example: probability >= 0.9") from error


def _evaluate(node: ast.expr, columns: Mapping[str, pa.Array], quoted: Mapping[str, str]) -> pa.Array | pa.Scalar:
    match node:
        case ast.BoolOp(op=op, values=values):
            parts = [_evaluate(v, columns, quoted) for v in values]
            combine = pc.and_kleene if isinstance(op, ast.And) else pc.or_kleene
            result = parts[0]
            for part in parts[1:]:
                result = combine(result, part)
            return result
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return pc.invert(_evaluate(operand, columns, quoted))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return pa.scalar(-value)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _compare(left, op, right, columns, quoted)
        case ast.Name(id=name):
            return _column(quoted.get(name, name), columns)
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return pa.scalar(value)
    raise JobError(
        f"postprocess.where: {ast.unparse(node)}: not allowed; use comparisons (one at a time), in, and, or, not, column names, numbers, strings"
    )


def _compare(
    left: ast.expr, op: ast.cmpop, right: ast.expr, columns: Mapping[str, pa.Array], quoted: Mapping[str, str]
) -> pa.Array | pa.Scalar:
    value = _evaluate(left, columns, quoted)
    if isinstance(right, ast.Constant) and right.value is None and isinstance(op, ast.Is | ast.IsNot):
        return pc.is_null(value) if isinstance(op, ast.Is) else pc.is_valid(value)
    if isinstance(op, ast.In | ast.NotIn) and isinstance(right, ast.List | ast.Tuple):
        options = [_evaluate(e, columns, quoted) for e in right.elts]
        if not all(isinstance(option, pa.Scalar) for option in options):
            raise JobError(f"postprocess.where: {ast.unparse(right)}: the options of in must be numbers or strings")
        found = pc.is_in(value, value_set=pa.array([o.as_py() for o in options]).cast(value.type))
        found = pc.if_else(pc.is_valid(value), found, pa.scalar(None, pa.bool_()))
        return found if isinstance(op, ast.In) else pc.invert(found)
    compare = _COMPARE.get(type(op))
    if compare is None:
        raise JobError(f"postprocess.where: {ast.unparse(left)} ...: this comparison is not allowed; use == != < <= > >= in")
    return compare(value, _evaluate(right, columns, quoted))


def _column(name: str, columns: Mapping[str, pa.Array]) -> pa.Array:
    if name not in columns:
        raise JobError(f"postprocess.where names column {name!r}; there are {sorted(columns)}")
    return columns[name]
