"""Texts in a dictionary are filled and encoded as plain ones are, and only where nobody else takes them."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import RejectedRows
from model_zoo.steps.categories import find_categories, is_kept_in_dictionary
from model_zoo.steps.encode import OneHot, Ordinal
from model_zoo.steps.fill import Fill
from model_zoo.steps.function import Function
from model_zoo.steps.scale import Scale
from model_zoo.steps.stack import Stack
from model_zoo.steps.table import apply_steps

TEXTS = pa.array(["b", None, "unseen", "a", "b", None])
# Of this file: in another order than the categories, and with one that no row has.
IN_DICTIONARY = pa.DictionaryArray.from_arrays(
    pa.array([0, None, 1, 2, 0, None], pa.int32()), ["b", "unseen", "a", "nowhere"]
)
ORDINAL = Ordinal(step="ordinal", columns=("t",), unknown="code", categories=(("a", "b"),))
ONE_HOT = OneHot(step="one_hot", columns=("t",), unknown="zeros", categories=(("a", "b"),))
OWN = Function(step="function", function="my_module:f")
STACK = Stack(step="stack", columns=("t",), into="x")


def fill(value: str) -> Fill:
    return Fill(step="fill", columns=("t",), values=(value,))


@pytest.mark.parametrize("encode", [ORDINAL, ONE_HOT])
@pytest.mark.parametrize("before", [(), (fill("a"),), (fill("elsewhere"),)])
@pytest.mark.parametrize("rows", [6, 1, 0])
def test_texts_in_a_dictionary_are_encoded_as_plain_ones(
    encode: Any, before: tuple[Any, ...], rows: int
) -> None:
    steps = (*before, encode)
    plain = apply_steps(steps, {"t": TEXTS[:rows]}, rows)
    # A slice of a batch has all of the dictionary, too.
    in_dictionary = apply_steps(steps, {"t": IN_DICTIONARY[:rows]}, rows)
    np.testing.assert_array_equal(in_dictionary["t"], plain["t"])
    assert in_dictionary["t"].dtype == plain["t"].dtype


def test_an_unknown_text_in_a_dictionary_rejects_its_row() -> None:
    step = ORDINAL.model_copy(update={"unknown": "reject"})
    with pytest.raises(RejectedRows) as caught:
        step.apply({"t": IN_DICTIONARY}, 6)
    assert list(caught.value.reasons) == [1, 2, 5]


@pytest.mark.parametrize(
    ("steps", "categories"),
    [
        ((fill("a"), ONE_HOT, STACK), {"t"}),
        ((ORDINAL, Scale(step="scale", columns=("t",), factor=(2,), offset=(0,))), {"t"}),
        # Another step takes the texts themselves, or may.
        ((STACK, ONE_HOT), set()),
        ((fill("a"), OWN, ONE_HOT), set()),
        ((fill("a"), ONE_HOT, OWN), {"t"}),
        ((fill("a"),), set()),
        ((), set()),
    ],
)
def test_categories_are_texts_that_are_encoded_before_anybody_else_takes_them(
    steps: Any, categories: set[str]
) -> None:
    assert find_categories(steps) == categories


@pytest.mark.parametrize(
    ("column", "is_kept"),
    [
        (IN_DICTIONARY, True),
        (TEXTS, False),
        (np.zeros(3), False),
        (pa.array([1, 2]).dictionary_encode(), False),
        (IN_DICTIONARY.cast(pa.dictionary(pa.int8(), pa.string())), False),
        # Whose missing value no index tells of.
        (pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), pa.array([None, "a"])), False),
    ],
)
def test_numbers_small_indices_and_missing_values_inside_are_decoded(
    column: Any, is_kept: bool
) -> None:
    assert is_kept_in_dictionary(column) == is_kept
