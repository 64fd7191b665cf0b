"""Which columns a model sees by default, and the steps that suit their types.

    number                  missing ones filled with the median, standardised
    true or false           missing ones filled with what comes most often
    date, timestamp         year, month, day, weekday and hour, then as numbers
    time, duration          a number of days, then as numbers; beside lists, dates too
    text of few values      one-hot; a missing or unknown value is a row of zeros
    list of numbers         as it is, padded to the longest

Comes in: the training rows alone, since what is looked at here decides what the model knows. Goes
out: features and unfitted steps, as a person would write them into a job.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from configs.fields import Fields, Names, TimeUnit
from model_zoo.steps.arrays import holds_numbers
from model_zoo.steps.columns import decode_dictionary, is_number
from model_zoo.steps.moments import is_moment
from model_zoo.steps.table import STEPS, AnyStep
from pipelines.packing.contract.logical_types import to_logical_type

# More would make a network of which most weights are of values that hardly come.
_MOST_CATEGORIES = 50
# Texts that are nearly all different are names or ids, however few rows there are.
_ROWS_OF_A_CATEGORY = 2
_PARTS_OF_DATES = ("year", "month", "day", "weekday")
_PARTS_OF_TIMESTAMPS = (*_PARTS_OF_DATES, "hour")
# What networks of one argument call it, and what steps of that kind are put into.
_STACKED = "x"
# Small enough numbers, and fractions of them are kept.
_UNIT: TimeUnit = "days"


@dataclass(frozen=True)
class Features:
    """What a model sees, and how.

    Attributes:
        names: columns, in the order of the data.
        numbers: those that are moments, each with its unit.
        steps: unfitted preprocessing.
        missing: what a missing value does, by column and for all others.
        notes: what was left out, and why, in words.
    """

    names: Names
    numbers: Mapping[str, TimeUnit]
    steps: tuple[AnyStep, ...]
    missing: Mapping[str, str]
    notes: Names


@dataclass
class _Kinds:
    """Names of columns by what becomes of them."""

    numbers: list[str] = field(default_factory=list)
    moments: list[str] = field(default_factory=list)
    booleans: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    timestamps: list[str] = field(default_factory=list)


def choose_features(
    training: pa.Table,
    candidates: Sequence[str],
    filled: Sequence[str],
    counted: Sequence[str] = (),
) -> Features:
    """Return features and steps by the types of columns.

    Args:
        training: the training rows.
        candidates: columns that the model may see.
        filled: those of which the job itself says what fills them.
        counted: moments of which the job itself says as which number they are taken.
    """
    kinds = _Kinds()
    notes: list[str] = []
    names: list[str] = []
    for name in candidates:
        column = training.column(name)
        is_counted = name in counted
        reason = _sort_in(column, name, kinds, is_counted)
        if reason:
            notes.append(f"column {name!r} is left out: {reason}")
        else:
            names.append(name)
    if kinds.lists:
        # They are put beside the other numbers by packing, which then needs a number of each date.
        kinds.moments += kinds.dates
        kinds.moments += kinds.timestamps
        kinds.dates = []
        kinds.timestamps = []
    # What takes the place of a missing list nobody knows, so such a row has no score.
    missing = {"default": "fill"}
    missing |= dict.fromkeys(kinds.lists, "reject")
    are_all_lists = kinds.lists == names
    if names and are_all_lists:
        missing = {"default": "reject"}
    return Features(
        names=tuple(names),
        numbers=dict.fromkeys(kinds.moments, _UNIT),
        steps=_make_steps(kinds, filled) if names else (),
        missing=missing,
        notes=tuple(notes),
    )


def _sort_in(
    column: pa.ChunkedArray,
    name: str,
    kinds: _Kinds,
    is_counted: bool,
) -> str:
    """Put a column where it belongs; or return why the model cannot see it, in words."""
    dtype = to_logical_type(column.type)
    has_none = column.null_count == len(column)
    if has_none or pa.types.is_null(dtype):
        return "no training row has a value"
    if holds_numbers(dtype):
        kinds.lists.append(name)
        return ""
    is_text = pa.types.is_string(dtype)
    if not is_text and not _is_plain(dtype):
        return f"{dtype} needs a step that makes numbers of it, image for example"

    whole = column.combine_chunks()
    values = decode_dictionary(whole)
    is_missing = pc.is_null(values, nan_is_null=True)
    is_present = pc.invert(is_missing)
    present = values.filter(is_present)
    rows = len(present)
    different = present.unique()
    count = len(different)
    if not count:
        return "no training row has a value"
    # Of one text and missing ones, whether it is there may say something.
    is_sometimes_missing = rows < len(values)
    may_say_something = is_text and is_sometimes_missing
    if count == 1 and not may_say_something:
        return "it has one value in all training rows"
    if is_text:
        return _sort_text_in(name, kinds, count, rows)
    is_floating = pa.types.is_floating(dtype)
    if is_floating and not _is_finite(present):
        return "it holds infinite numbers; mend them, or name it in data.features with a step"
    names = _choose_kind(dtype, kinds, is_counted)
    names.append(name)
    return ""


def _is_plain(dtype: pa.DataType) -> bool:
    """Tell whether each value is one number, a truth value or a moment."""
    return is_number(dtype) or pa.types.is_decimal(dtype) or is_moment(dtype)


def _choose_kind(dtype: pa.DataType, kinds: _Kinds, is_counted: bool) -> list[str]:
    """Return the names that a column belongs to which is neither a text nor a list."""
    types = pa.types
    if types.is_boolean(dtype):
        return kinds.booleans
    # The job says its unit, so it is a number already.
    if is_counted:
        return kinds.numbers
    if types.is_date(dtype):
        return kinds.dates
    if types.is_timestamp(dtype):
        return kinds.timestamps
    if is_moment(dtype):
        return kinds.moments
    return kinds.numbers


def _sort_text_in(
    name: str,
    kinds: _Kinds,
    count: int,
    rows: int,
) -> str:
    needed = count * _ROWS_OF_A_CATEGORY
    has_rows_for_each = count <= 2 or rows >= needed
    if count > _MOST_CATEGORIES or not has_rows_for_each:
        return (
            f"{count:,} different texts in {rows:,} rows; where they say something, name it in "
            "data.features, with a tokenize or one_hot step in preprocess"
        )
    kinds.texts.append(name)
    return ""


def _is_finite(column: pa.Array) -> bool:
    is_finite = pc.is_finite(column)
    are_all = pc.all(is_finite)
    return bool(are_all.as_py())


def _make_steps(kinds: _Kinds, filled: Sequence[str]) -> tuple[AnyStep, ...]:
    """Return unfitted steps for all kinds of columns that there are.

    Args:
        kinds: the columns.
        filled: those of which the job itself says what fills them.
    """
    numbers = [*kinds.numbers, *kinds.moments]
    steps: list[Fields] = []
    parts_of_names = (
        (kinds.dates, _PARTS_OF_DATES),
        (kinds.timestamps, _PARTS_OF_TIMESTAMPS),
    )
    for names, parts in parts_of_names:
        if names:
            take_apart = _write_step("date_parts", names, parts=list(parts))
            steps.append(take_apart)
        for name in names:
            numbers += [f"{name}_{part}" for part in parts]

    to_fill = _leave_out(numbers, filled)
    if to_fill:
        fill = _write_step("fill", to_fill, strategy="median")
        steps.append(fill)
    if numbers:
        standardise = _write_step("standardise", numbers)
        steps.append(standardise)
    booleans = _leave_out(kinds.booleans, filled)
    if booleans:
        fill = _write_step("fill", booleans, strategy="most_frequent")
        steps.append(fill)
    if kinds.texts:
        one_hot = _write_step("one_hot", kinds.texts, unknown="zeros")
        steps.append(one_hot)
    # Lists are put beside the other numbers by packing, which needs no stack.
    if not kinds.lists:
        # By names: dates are there beside their parts, and no numbers.
        stacked = [*numbers, *kinds.booleans, *kinds.texts]
        stack = _write_step("stack", stacked, into=_STACKED)
        steps.append(stack)
    return STEPS.validate_python(steps)


def _leave_out(
    names: Sequence[str],
    others: Sequence[str],
) -> list[str]:
    return [name for name in names if name not in others]


def _write_step(step: str, columns: Sequence[str], **fields: object) -> Fields:
    """Return a step as a job says it."""
    return {"step": step, "columns": columns, **fields}
