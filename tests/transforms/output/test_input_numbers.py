"""Inputs have the numbers of their places, in whichever order they are asked for."""

from itertools import permutations

import pytest

from transforms.output.input_numbers import InputNumbers

INPUTS = [{"url": url} for url in ("a", "b", "c", "d")]


def test_numbers_are_places_in_whatever_order() -> None:
    for urls in permutations("abcd"):
        numbers = InputNumbers(INPUTS)
        assert [numbers.find(url) for url in urls] == ["abcd".index(url) for url in urls]
        assert numbers.find(urls[-1]) == "abcd".index(urls[-1])


@pytest.mark.parametrize("asked_before", ["", "a", "abcd", "dd"])
def test_what_is_no_input_has_none(asked_before: str) -> None:
    numbers = InputNumbers(INPUTS)
    for url in asked_before:
        numbers.find(url)
    with pytest.raises(KeyError):
        numbers.find("e")
    assert numbers.find("c") == 2


def test_of_no_inputs_none_is_found() -> None:
    with pytest.raises(KeyError):
        InputNumbers([]).find("")
