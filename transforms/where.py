"""The filters of a job, `where: probability >= 0.9 and label == 'benign'`, as a mask over columns.

The expression has Python's syntax and nothing of its power: comparisons, `in`, `and`, `or`, `not`,
numbers, strings, True, False, None, and column names (in backticks when they are not plain words).
As in SQL, a comparison with null is neither true nor false, and only rows where the whole is true
are kept. A text beside a column of dates or times is read as one of them.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
import re
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType
import pyarrow.compute as pc
from pyarrow.types import is_boolean, is_floating, is_integer, is_string, is_temporal

from configs.errors import JobError
from transforms.exact_comparison import compare_exactly, find_range
from transforms.logical_types import decode

# They give null where a side is null, as SQL does.
_COMPARE = {
    ast.Eq: pc.equal,
    ast.NotEq: pc.not_equal,
    ast.Lt: pc.less,
    ast.LtE: pc.less_equal,
    ast.Gt: pc.greater,
    ast.GtE: pc.greater_equal,
}
# A text; a column's name in backticks; or a name with letters beyond ASCII, which Python would fold
# with others that look alike.
_QUOTED = re.compile(
    r"""'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | `(?P<quoted>[^`]+)` | (?P<name>[^\W\d]\w*)""",
    re.VERBOSE | re.DOTALL,
)
# Deeper than anybody writes, and not so deep that Python gives up.
_MOST_LEVELS = 100
_MOST_SIGNED = 2**63 - 1
# Arrow refuses types that it cannot compare; a number of Python may be larger than any of Arrow's.
NOT_COMPARABLE = (
    pa.ArrowInvalid,
    pa.ArrowNotImplementedError,
    pa.ArrowTypeError,
    OverflowError,
)
Values: TypeAlias = Array | pa.Scalar
# The fields of a job that hold a filter: of what is written, and of what is read.
SCORES = "postprocess.where"
SOURCE = "source.where"


def where_mask(
    where: str,
    columns: Mapping[str, Array],
    rows: int,
    place: str = SCORES,
) -> np.ndarray:
    """Return which rows to keep, bool (rows,).

    Args:
        where: the expression.
        columns: arrays of `rows` values, by name.
        rows: their number.
        place: the field of the job that it stands in, for errors.

    Raises:
        JobError: the expression is not of the allowed form, or names a column that is not there.
    """
    expression = parse_where(where, place)
    evaluation = _Evaluation(columns, expression.quoted, place)
    try:
        result = evaluation.evaluate(expression.tree)
    except NOT_COMPARABLE as error:
        raise JobError(f"{place}: {where}: cannot be compared: {error}") from error
    if not is_boolean(result.type):
        raise JobError(
            f"{place}: {where}: is a value of type {result.type}, not true or false; compare it"
        )
    # An expression without a column has one value for all rows.
    if isinstance(result, pa.Scalar):
        is_true = bool(result.as_py())
        return np.full(rows, is_true)
    is_true_in_row = result.fill_null(False)
    # Arrow packs eight of them into a byte, which numpy cannot use as it is.
    mask: np.ndarray = is_true_in_row.to_numpy(zero_copy_only=False)
    return mask


def refuse_calls(where: str, place: str = SCORES) -> None:
    """Refuse what calls something, before the names in it are looked for among columns.

    Args:
        where: the expression.
        place: the field of the job that it stands in, for errors.

    Raises:
        JobError: the expression is not of the allowed form.
    """
    expression = parse_where(where, place)
    for node in ast.walk(expression.tree):
        if isinstance(node, ast.Call | ast.Attribute | ast.Subscript | ast.Lambda):
            raise _not_allowed(node, place)


def where_columns(where: str, place: str = SCORES) -> list[str]:
    """Return the names of the columns that the expression reads, sorted.

    Args:
        where: the expression.
        place: the field of the job that it stands in, for errors.

    Raises:
        JobError: the expression is not of the allowed form.
    """
    expression = parse_where(where, place)
    columns = set()
    for node in ast.walk(expression.tree):
        if isinstance(node, ast.Name):
            name = node.id
            column = expression.quoted.get(name, name)
            columns.add(column)
    return sorted(columns)


@dataclass(frozen=True)
class Expression:
    """A parsed filter.

    Attributes:
        tree: its syntax tree.
        quoted: columns' names by the names that stand for them in the tree.
    """

    tree: ast.expr
    quoted: Mapping[str, str]


# Asked of each page of a file, the answer is the same, and nobody changes it.
@lru_cache(maxsize=8)
def parse_where(where: str, place: str = SCORES) -> Expression:
    """Return a filter as a tree, in which nothing is allowed yet.

    Args:
        where: the expression.
        place: the field of the job that it stands in, for errors.

    Raises:
        JobError: it is no expression, or nested too deeply.
    """
    quoted: dict[str, str] = {}

    # Python has no quoted names, so a plain word takes the place of each.
    def replace_quoted(match: re.Match[str]) -> str:
        column = match["quoted"]
        word = match["name"]
        is_foreign = bool(word) and not word.isascii()
        if column is None and is_foreign:
            column = word
        # A text, which may hold backticks, or a plain word.
        if column is None:
            return match.group()
        number = len(quoted)
        name = f"{prefix}{number}"
        quoted[name] = column
        return name

    prefix = "_quoted"
    # No column's own name may be taken for one of these.
    while prefix in where:
        prefix += "_"
    text = _QUOTED.sub(replace_quoted, where)
    try:
        # In brackets it may span lines.
        in_brackets = f"({text}\n)"
        tree = ast.parse(in_brackets, mode="eval")
    # It gives up on brackets that are nested too deeply, and on NUL bytes.
    except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
        raise JobError(
            f"{place}: {where}: not a valid expression; write for example: probability >= 0.9"
        ) from error
    _refuse_deep(tree, where, place)
    return Expression(tree.body, quoted)


def _not_allowed(node: ast.expr, place: str) -> JobError:
    return JobError(
        f"{place}: {ast.unparse(node)}: not allowed; use comparisons (one at a time), "
        "in, and, or, not, column names, numbers, strings"
    )


def _refuse_deep(tree: ast.AST, where: str, place: str) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(_MOST_LEVELS):
        below: list[ast.AST] = []
        for node in level:
            below += ast.iter_child_nodes(node)
        if not below:
            return
        level = below
    raise JobError(f"{place}: {where}: is nested more than {_MOST_LEVELS} levels deep")


@dataclass(frozen=True)
class _Evaluation:
    """Evaluate parts of an expression.

    What it does not know is refused, so that nothing is ever called.

    Attributes:
        columns: by name.
        quoted: columns' names by the names that stand for them in the tree.
        place: the field of the job that it stands in, for errors.
    """

    columns: Mapping[str, Array]
    quoted: Mapping[str, str]
    place: str

    def evaluate(self, node: ast.expr) -> Values:
        match node:
            case ast.BoolOp(op=op, values=values):
                return self._combine(op, values)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                value = self.evaluate(operand)
                return pc.invert(value)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._compare(left, op, right)
            case ast.Name(id=name):
                column = self.quoted.get(name, name)
                return self._get_column(column)
        literal = read_literal(node)
        if literal is not None:
            return literal
        raise _not_allowed(node, self.place)

    def _combine(self, op: ast.boolop, values: list[ast.expr]) -> Values:
        # Kleene's logic is SQL's: null and False is False, null or True is True.
        combine = pc.or_kleene
        if isinstance(op, ast.And):
            combine = pc.and_kleene
        # All of them first, so that a name that is not there is told before anything else.
        result, *others = map(self.evaluate, values)
        for other in others:
            result = combine(result, other)
        return result

    def _compare(
        self,
        left: ast.expr,
        op: ast.cmpop,
        right: ast.expr,
    ) -> Values:
        value = self.evaluate(left)
        match op, right:
            case ast.Is(), ast.Constant(value=None):
                return pc.is_null(value)
            case ast.IsNot(), ast.Constant(value=None):
                return pc.is_valid(value)
            case ast.In(), (ast.List() | ast.Tuple()) as options:
                return self._is_in(value, options)
            case ast.NotIn(), (ast.List() | ast.Tuple()) as options:
                found = self._is_in(value, options)
                return pc.invert(found)
        compare = _COMPARE.get(type(op))
        if compare is None:
            raise JobError(
                f"{self.place}: {ast.unparse(left)} ...: this comparison is not allowed; "
                "use == != < <= > >= in, is None, is not None"
            )
        other = self.evaluate(right)
        return compare_exactly(compare, as_moment(value, other), as_moment(other, value))

    def _is_in(self, value: Values, right: ast.List | ast.Tuple) -> Values:
        options = list(map(self.evaluate, right.elts))
        if not all(isinstance(option, pa.Scalar) for option in options):
            written = ast.unparse(right)
            raise JobError(f"{self.place}: {written}: the options of in must be numbers or strings")
        plain_options = [option.as_py() for option in options]
        value_set = make_value_set(plain_options, value.type)
        found = pc.is_in(value, value_set=value_set)
        # Whether null is among the options is neither true nor false.
        is_known = pc.is_valid(value)
        truth = pa.bool_()
        unknown = pa.scalar(None, truth)
        return pc.if_else(is_known, found, unknown)

    def _get_column(self, name: str) -> Array:
        columns = self.columns
        if name not in columns:
            known = sorted(columns)
            raise JobError(f"{self.place} names column {name!r}; there are {known}")
        # Arrow compares neither views nor, with a list of values, dictionaries.
        column = decode(columns[name])
        half = pa.float16()
        if column.type == half:
            # It compares no halves at all; wider, each is the same number.
            single = pa.float32()
            return column.cast(single)
        return column


def read_literal(node: ast.expr) -> pa.Scalar | None:
    """Return the value that stands in an expression; None where something else does.

    Raises:
        OverflowError: a number that is larger than any of Arrow's.
    """
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return pa.scalar(-value)
        case ast.Constant(value=int() as value) if value > _MOST_SIGNED:
            return pa.scalar(value, pa.uint64())
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return pa.scalar(value)
    return None


def as_moment(value: Values, other: Values) -> Values:
    """Return a text that stands beside dates or times as one of them, and anything else as it is.

    Args:
        value: maybe a text.
        other: what it is compared with.

    Raises:
        pyarrow.ArrowInvalid: the text is no date or time.
    """
    is_literal = isinstance(value, pa.Scalar) and is_string(value.type)
    if is_literal and is_temporal(other.type):
        return value.cast(other.type)
    return value


def make_value_set(options: list[Any], dtype: DataType) -> Array:
    """Return the options of `in` in the type of the values: Arrow compares values of one type only.

    Args:
        options: as they stand in the expression.
        dtype: of the values.

    Raises:
        pyarrow.ArrowInvalid: options of several types, or one that the type cannot hold.
    """
    # Not by the type of an array of them: Arrow makes none of -1 and 2**63.
    are_integers = all(type(option) is int for option in options)
    if not are_integers or not is_integer(dtype):
        possible = pa.array(options).cast(dtype)
        return _with_both_zeros(possible)
    least, most = find_range(dtype)
    # No value is one of the others.
    in_range = [option for option in options if least <= option <= most]
    return pa.array(in_range, dtype)


def _with_both_zeros(options: Array) -> Array:
    """Return options with 0 and -0 where either is among them: they are equal, and Arrow's `is_in` takes them for two."""
    dtype = options.type
    if not is_floating(dtype):
        return options
    is_zero = pc.equal(options, pa.scalar(0.0, dtype))
    if not pc.any(is_zero).as_py():
        return options
    zeros = pa.array([0.0, -0.0], dtype)
    return pa.concat_arrays([options, zeros])
