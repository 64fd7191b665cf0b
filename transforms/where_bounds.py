"""Whether a filter may be true of any row of which only bounds are known.

In come the filter's expression and the bounds of columns, out goes the answer. It errs on one side
alone: a filter that may be true of a row is never said to be false of all.
"""

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import product
import math
from typing import Any, TypeAlias

import pyarrow as pa
from pyarrow import Scalar
import pyarrow.compute as pc
from pyarrow.types import is_floating

from configs.errors import JobError
from transforms.bounds import Bounds
from transforms.exact_comparison import compare_exactly
from transforms.where import (
    NOT_COMPARABLE,
    SOURCE,
    Expression,
    as_moment,
    make_value_set,
    parse_where,
    read_literal,
)

# What an expression may be of a row; None is neither true nor false, as in SQL.
Outcomes: TypeAlias = frozenset[bool | None]
_ANY: Outcomes = frozenset((True, False, None))
_KNOWN: Outcomes = frozenset((True, False))
_NULL: Outcomes = frozenset((None,))
_ORDERS: dict[type[ast.cmpop], Callable[..., Any]] = {
    ast.Lt: pc.less,
    ast.LtE: pc.less_equal,
    ast.Gt: pc.greater,
    ast.GtE: pc.greater_equal,
}
# The same comparison with its sides exchanged.
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
}


def may_pass(
    where: str,
    bounds: Mapping[str, Bounds],
    place: str = SOURCE,
) -> bool:
    """Tell whether a filter may keep any of the rows that these bounds are of.

    Args:
        where: the expression.
        bounds: what is known, by column; of other columns nothing is.
        place: the field of the job that it stands in, for errors.

    Raises:
        JobError: the expression is not of the allowed form.
    """
    expression = parse_where(where, place)
    outlook = _Outlook(bounds, expression)
    try:
        outcomes = outlook.foresee(expression.tree)
    # What cannot be compared is refused where rows are.
    except NOT_COMPARABLE:
        return True
    return True in outcomes


@dataclass(frozen=True)
class _Outlook:
    """What parts of an expression may be; what is not looked into may be anything."""

    bounds: Mapping[str, Bounds]
    expression: Expression

    def foresee(self, node: ast.expr) -> Outcomes:
        match node:
            case ast.BoolOp(op=op, values=values):
                each = list(map(self.foresee, values))
                return _combine(op, each)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                outcomes = self.foresee(operand)
                return _invert(outcomes)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._foresee_comparison(left, op, right)
            case ast.Constant(value=bool() as value):
                return frozenset((value,))
        return _ANY

    def _foresee_comparison(
        self,
        left: ast.expr,
        op: ast.cmpop,
        right: ast.expr,
    ) -> Outcomes:
        kind = type(op)
        # A column is looked for on the left.
        if isinstance(right, ast.Name) and kind in _MIRRORED:
            left, right = right, left
            kind = _MIRRORED[kind]
        if not isinstance(left, ast.Name):
            return _ANY
        name = self.expression.quoted.get(left.id, left.id)
        bounds = self.bounds.get(name)
        if bounds is None:
            return _ANY
        if kind in (ast.Is, ast.IsNot):
            is_null = _foresee_null(bounds)
            return is_null if kind is ast.Is else _invert(is_null)
        if kind in (ast.In, ast.NotIn):
            options = _list_options(right)
            is_in = _foresee_each(bounds, options)
            return is_in if kind is ast.In else _invert(is_in)
        literal = read_literal(right)
        if literal is None or kind not in _MIRRORED:
            return _ANY
        return _foresee_value(bounds, kind, literal)


def _combine(op: ast.boolop, each: Iterable[Outcomes]) -> Outcomes:
    """Return what several conditions together may be, whatever they have to do with each other."""
    # One after the other: of many at once there are too many combinations.
    combine = _combine_all if isinstance(op, ast.And) else _combine_any
    return reduce(combine, each)


def _combine_all(left: Outcomes, right: Outcomes) -> Outcomes:
    return frozenset(_decide(False, pair) for pair in product(left, right))


def _combine_any(left: Outcomes, right: Outcomes) -> Outcomes:
    return frozenset(_decide(True, pair) for pair in product(left, right))


def _decide(
    deciding: bool,
    pair: tuple[bool | None, bool | None],
) -> bool | None:
    """Return what two conditions together are.

    Args:
        deciding: what one of them alone decides: false of all, true of any.
        pair: what each is.
    """
    if deciding in pair:
        return deciding
    return None if None in pair else not deciding


def _invert(outcomes: Outcomes) -> Outcomes:
    return frozenset(value if value is None else not value for value in outcomes)


def _foresee_null(bounds: Bounds) -> Outcomes:
    outcomes = set()
    if bounds.may_be_null:
        outcomes.add(True)
    if bounds.may_be_value:
        outcomes.add(False)
    return frozenset(outcomes)


def _list_options(node: ast.expr) -> list[Scalar] | None:
    """Return what a value may be one of; None where that is not a list of values."""
    if not isinstance(node, ast.List | ast.Tuple):
        return None
    options = []
    for element in node.elts:
        option = read_literal(element)
        if option is None:
            return None
        options.append(option)
    return options


def _foresee_each(bounds: Bounds, options: list[Scalar] | None) -> Outcomes:
    """Return whether a value may be one of some."""
    least, most = _get_ends(bounds)
    if options is None or least is None or most is None:
        return _with_null(bounds, _KNOWN)
    plain = [option.as_py() for option in options]
    try:
        # In the type of the values, as they are compared when they are read.
        possible = make_value_set(plain, least.type)
        is_not_below = pc.greater_equal(possible, least)
        is_not_above = pc.less_equal(possible, most)
        is_only_value = pc.equal(least, most).as_py()
    except NOT_COMPARABLE:
        return _ANY
    is_between = pc.and_(is_not_below, is_not_above)
    is_possible = pc.any(is_between).as_py() or False
    outcomes = set()
    if is_possible:
        outcomes.add(True)
    # Also of what is NaN, which is none of them.
    if not (is_possible and is_only_value) or bounds.may_be_nan:
        outcomes.add(False)
    return _with_null(bounds, frozenset(outcomes))


def _get_ends(bounds: Bounds) -> tuple[Scalar | None, Scalar | None]:
    """Return the ends of a range; none where one is NaN, as some writers took it for a number."""
    for end in (bounds.least, bounds.most):
        if end is None:
            return None, None
        is_float = is_floating(end.type)
        if is_float and math.isnan(end.as_py()):
            return None, None
    return bounds.least, bounds.most


def _foresee_value(bounds: Bounds, kind: type[ast.cmpop], literal: Scalar) -> Outcomes:
    """Return what a comparison with one value may be."""
    least, most = _get_ends(bounds)
    if least is None or most is None:
        return _with_null(bounds, _KNOWN)
    try:
        is_possible, is_certain = _judge(kind, least, most, literal)
    except (*NOT_COMPARABLE, JobError):
        return _ANY
    outcomes = set()
    if is_possible:
        outcomes.add(True)
    if not is_certain:
        outcomes.add(False)
    if bounds.may_be_nan:
        # It is no number, so it is unequal to each, and nothing else.
        outcomes.add(kind is ast.NotEq)
    return _with_null(bounds, frozenset(outcomes))


def _judge(
    kind: type[ast.cmpop],
    least: Scalar,
    most: Scalar,
    literal: Scalar,
) -> tuple[bool, bool]:
    """Return whether a comparison is true of some value between two, and whether of all.

    Args:
        kind: the comparison.
        least, most: the two.
        literal: what they are compared with.

    Raises:
        pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError: they cannot be compared.
    """
    if kind in _ORDERS:
        compare = _ORDERS[kind]
        of_least = _holds(compare, least, literal)
        of_most = _holds(compare, most, literal)
        # What is true of one end alone is true of some value, and not of all.
        return of_least or of_most, of_least and of_most
    is_not_below = _holds(pc.less_equal, least, literal)
    is_between = is_not_below and _holds(pc.greater_equal, most, literal)
    is_least = _holds(pc.equal, least, literal)
    is_only = is_least and _holds(pc.equal, most, literal)
    if kind is ast.Eq:
        return is_between, is_only
    return not is_only, not is_between


def _holds(compare: Callable[..., Any], value: Scalar, literal: Scalar) -> bool:
    # As a column, which is what is compared when rows are read.
    column = pa.array([value], value.type)
    moment = as_moment(literal, column)
    (answer,) = compare_exactly(compare, column, moment)
    if not answer.is_valid:
        raise pa.ArrowInvalid("no value to compare with")
    return bool(answer.as_py())


def _with_null(bounds: Bounds, outcomes: Outcomes) -> Outcomes:
    """Return what a comparison may be where a row may also have no value, or must have none."""
    if not bounds.may_be_value:
        return _NULL
    if bounds.may_be_null:
        return outcomes | _NULL
    return outcomes
