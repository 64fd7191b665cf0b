"""Fields of a server's JSON: what is missing or null is nothing, and what is of another kind is wrong."""

from typing import Any

import pytest

from model_zoo.remote.failures import WrongError
from model_zoo.remote.json_fields import read_field, read_objects, read_text, read_whole_numbers


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [(7, int, 7), (0, int, 0), ("", str, ""), (None, int, "otherwise"), (False, bool, False)],
)
def test_a_field_is_read_where_it_is_there(value: Any, kind: type, expected: Any) -> None:
    assert read_field({"a": value}, "a", kind, "otherwise") == expected
    assert read_field({}, "a", kind, "otherwise") == "otherwise"


# To Python, true is an integer.
@pytest.mark.parametrize(
    ("value", "kind"), [("7", int), (7, str), (7.0, int), (True, int), (1, bool)]
)
def test_a_field_of_another_kind_is_wrong(value: Any, kind: type) -> None:
    with pytest.raises(WrongError, match=f"a must be of {kind.__name__} in the answer"):
        read_field({"a": value}, "a", kind, None)


def test_texts_objects_and_whole_numbers() -> None:
    assert (read_text({"a": "x"}, "a"), read_text({"a": None}, "a")) == ("x", "")
    assert list(read_objects({"a": [{}, {"b": 1}]}, "a")) == [{}, {"b": 1}]
    assert list(read_objects({}, "a")) == []
    assert read_whole_numbers({"a": [1, -1]}, "a") == [1, -1]
    assert read_whole_numbers({}, "a") == []


@pytest.mark.parametrize("numbers", [[1, 2.0], [True], ["1"], [None], 7])
def test_what_are_no_whole_numbers_is_wrong(numbers: Any) -> None:
    with pytest.raises(WrongError):
        read_whole_numbers({"a": numbers}, "a")


@pytest.mark.parametrize("objects", [[{}, 1], ["x"], {}])
def test_what_are_no_objects_is_wrong(objects: Any) -> None:
    with pytest.raises(WrongError):
        list(read_objects({"a": objects}, "a"))
