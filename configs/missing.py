"""What a job says of missing values: a word for all columns, and exceptions by name."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator

MissingWord: TypeAlias = Literal["error", "reject", "fill"]
# The key of the word for all columns that have none of their own.
DEFAULT = "default"


def _as_default(value: object) -> object:
    if isinstance(value, str):
        return {DEFAULT: value}
    if not isinstance(value, Mapping):
        raise ValueError("must be error, reject or fill, or such a word by column")
    return value


# `missing: fill` is short for `missing: {default: fill}`.
Missing: TypeAlias = Annotated[dict[str, MissingWord], BeforeValidator(_as_default)]


def list_exceptions(missing: Mapping[str, MissingWord]) -> list[str]:
    """Return the columns that have a word of their own.

    >>> list_exceptions({"default": "fill", "age": "reject"})
    ['age']
    """
    return [name for name in missing if name != DEFAULT]


def refuse_contradictions(
    missing: Mapping[str, MissingWord],
    filled: Mapping[str, object],
) -> None:
    """Refuse a column that has both a value and another word.

    Args:
        missing: words by column.
        filled: columns that have a value.

    Raises:
        ValueError: all such columns.
    """
    twice = []
    # Not of the word for all columns: a value may be an exception to it.
    for name in list_exceptions(missing):
        word = missing[name]
        is_filled = name in filled
        if is_filled and word != "fill":
            problem = f"missing.{name} says {word}, and fill.{name} says what takes its place"
            twice.append(problem)
    if twice:
        problems = "; ".join(twice)
        raise ValueError(problems)
