"""`missing`: a word for all columns, exceptions by name, and what contradicts itself."""

from typing import Any

from pydantic import TypeAdapter, ValidationError
import pytest

from configs.missing import Missing, list_exceptions, refuse_contradictions

MISSING: TypeAdapter[Any] = TypeAdapter(Missing)


def test_a_word_alone_is_that_of_all_columns() -> None:
    assert MISSING.validate_python("fill") == MISSING.validate_python({"default": "fill"})
    both = MISSING.validate_python({"default": "fill", "age": "reject"})
    assert list_exceptions(both) == ["age"]


@pytest.mark.parametrize("value", ["fil", {"age": "drop"}, {"default": None}, None, 3, ["fill"]])
def test_what_is_no_word_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match=r"(error|'error').*reject.*fill"):
        MISSING.validate_python(value)


def test_a_value_and_another_word_for_one_column_are_told_all_at_once() -> None:
    refuse_contradictions({"default": "reject", "age": "fill"}, {"age": 1, "visits": 2})
    with pytest.raises(ValueError, match=r"missing\.age says reject.*; missing\.visits says error"):
        refuse_contradictions({"age": "reject", "visits": "error"}, {"age": 1, "visits": 2})
