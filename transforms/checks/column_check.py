"""One rule that the values of a column must keep to, and which rows do not.

    age: {max: 120, on_failure: reject}   ->   rows whose age is greater than 120

A missing value keeps to every rule but `not_null`, as in SQL's constraints and in most tools of data
quality.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
import math
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array
import pyarrow.compute as pc
from pyarrow.types import is_date, is_date32, is_timestamp

from transforms.exact_comparison import compare_exactly
from transforms.logical_types import decode
from transforms.where import as_moment, make_value_set

_MICROSECONDS = 1_000_000
_DAY_SECONDS = 86_400
# How many of its unit a timestamp has in a second: exact, as floats would round microseconds.
_PER_SECOND = {unit: Fraction(1_000**power) for power, unit in enumerate(("s", "ms", "us", "ns"))}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MOMENT, _LAST_MOMENT = (
    (end.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
    for end in (datetime.min, datetime.max)
)
# The rule that is judged by the newest value of all.
NEWEST = "newest_within"
# And the one that is judged by all values together.
UNIQUE = "unique"
OnFailure: TypeAlias = Literal["reject", "warn", "hold"]
# Column, and what the rule asks for -> true, false, or null where nobody can tell.
_Passes: TypeAlias = Callable[[Array, Any], Array]
# As a row's record has it, behind the column's name.
_SAYS = {
    "min": "less than",
    "max": "greater than",
    "allowed": "none of",
    "matches": "not matched by",
    "not_null": "missing, against",
    NEWEST: "too old for",
    UNIQUE: "repeated, against",
}


@dataclass(frozen=True)
class ColumnCheck:
    """A rule for the values of a column.

    Attributes:
        column: its name.
        rule: one of the table below.
        wanted: what the job says beside the rule.
        on_failure: what a value that fails does.
        mostly: the share of values that must pass.
    """

    column: str
    rule: str
    wanted: Any
    on_failure: OnFailure
    mostly: float = 1.0

    @property
    def place(self) -> str:
        """Return the field of the job that it stands in."""
        return f"checks.{self.column}.{self.rule}"

    @property
    def says(self) -> str:
        """Return what a value that fails is, in words without the value."""
        return f"{_SAYS[self.rule]} {self.place}"

    @property
    def oldest(self) -> timedelta:
        """Return how old the newest value may be: `36 hours`, of a check that asks for it."""
        count, _, unit = self.wanted.partition(" ")
        plural = unit.removesuffix("s") + "s"
        return timedelta(**{plural: int(count)})

    def find_failed(self, column: Array) -> np.ndarray:
        """Return the positions of the rows that fail, int64.

        Args:
            column: with a value or null of each row.

        Raises:
            pyarrow.ArrowException: the rule makes no sense of such values.
        """
        rule = _RULES[self.rule]
        passes = rule(_to_plain(column), self.wanted)
        # Nobody can tell of a missing value.
        fails = pc.invert(passes).fill_null(False)
        # Most often nothing does.
        if not fails.true_count:
            return np.empty(0, dtype=np.int64)
        by_row = fails.to_numpy(zero_copy_only=False)
        return np.flatnonzero(by_row)


def find_newest(column: Array) -> int | None:
    """Return the last of some dates or times, in microseconds from 1970 on (UTC); None of none.

    Of years that Python does not know it is the last moment that it knows, or the first: one such row may
    not end the run.

    Args:
        column: of dates or timestamps; of those without a zone the clock is UTC's.

    Raises:
        pyarrow.ArrowException: it has no dates.
    """
    values = decode(column)
    dtype = values.type
    if is_timestamp(dtype):
        per_second = _PER_SECOND[dtype.unit]
    elif is_date(dtype):
        per_second = Fraction(1, _DAY_SECONDS) if is_date32(dtype) else _PER_SECOND["ms"]
    else:
        raise pa.ArrowNotImplementedError(f"values of type {dtype} are no dates or times")
    newest = pc.max(values).value
    if newest is None:
        return None
    # As Python's number: years that nobody writes are beyond 64 bits of microseconds.
    microseconds = math.floor(newest * _MICROSECONDS / per_second)
    return min(max(microseconds, _FIRST_MOMENT), _LAST_MOMENT)


def _to_plain(column: Array) -> Array:
    """Return a column in a form that Arrow can compare."""
    column = decode(column)
    # It compares no halves at all; wider, each is the same number.
    if column.type == pa.float16():
        return column.cast(pa.float32())
    return column


def _is_at_least(column: Array, bound: Any) -> Array:
    least = as_moment(_to_scalar(bound), column)
    return compare_exactly(pc.greater_equal, column, least)


def _is_at_most(column: Array, bound: Any) -> Array:
    most = as_moment(_to_scalar(bound), column)
    return compare_exactly(pc.less_equal, column, most)


def _is_allowed(column: Array, allowed: tuple[Any, ...]) -> Array:
    value_set = make_value_set(list(allowed), column.type)
    answers = pc.is_in(column, value_set=value_set)
    return _where_known(column, answers)


def _matches(column: Array, pattern: str) -> Array:
    # Of the whole text: a pattern that is found somewhere in it finds almost anything.
    whole = rf"\A(?:{pattern})\z"
    return pc.match_substring_regex(column, pattern=whole)


def _is_there(column: Array, _: Any) -> Array:
    # NaN is what pandas writes for a missing number, and missing for the model's contract, too.
    return pc.invert(pc.is_null(column, nan_is_null=True))


def _has_a_moment(column: Array, _: Any) -> Array:
    no_rows = column.slice(0, 0)
    # Refused as all of them would be.
    find_newest(no_rows)
    # Which is the newest of all is known when all are read.
    return pa.repeat(True, len(column))


_RULES: dict[str, _Passes] = {
    "min": _is_at_least,
    "max": _is_at_most,
    "allowed": _is_allowed,
    "matches": _matches,
    "not_null": _is_there,
    NEWEST: _has_a_moment,
}


def _to_scalar(bound: Any) -> pa.Scalar:
    # Beyond 63 bits Arrow would not know the type by itself.
    if isinstance(bound, int) and bound.bit_length() > 63:
        return pa.scalar(bound, pa.uint64())
    return pa.scalar(bound)


def _where_known(column: Array, answers: Array) -> Array:
    """Return answers, null where the value is."""
    unknown = pa.scalar(None, pa.bool_())
    is_known = column.is_valid()
    return pc.if_else(is_known, answers, unknown)
