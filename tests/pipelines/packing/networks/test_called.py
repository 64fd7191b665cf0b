"""Why a network cannot be called: the likeliest reason, and whether other dtypes were tried."""

import numpy as np
import pytest

from configs.errors import InputError, ModelError
from model_zoo.steps.tokenize import Tokenize
from pipelines.packing.networks.called import _refuse_all, find_mask


def test_one_reason_is_told_as_it_is() -> None:
    error = ModelError("it does not take them")
    assert _refuse_all([error]) is error


def test_of_several_the_first_is_told_and_that_there_were_others() -> None:
    told = _refuse_all([InputError("a row is too long"), ModelError("it does not take them")])
    assert type(told) is InputError
    assert str(told).startswith("a row is too long; other dtypes were tried, too")


def make_tokenize(mask: str) -> Tokenize:
    fields = {"step": "tokenize", "column": "c", "max_tokens": 4, "tokenizer": "{}"}
    return Tokenize.model_validate({**fields, "into": f"{mask}_ids", "mask_into": mask})


@pytest.mark.parametrize(
    ("masks", "inputs", "expected"),
    [
        ([], ["a"], None),
        (["a"], ["a", "a_ids"], "a"),
        (["a"], ["a_ids"], None),
        # Texts of two columns have no length of their own.
        (["a", "b"], ["a", "b"], None),
    ],
)
def test_the_mask_is_that_of_the_only_texts(
    masks: list[str], inputs: list[str], expected: str | None
) -> None:
    arrays = {name: np.ones((2, 4)) for name in inputs}
    assert find_mask([make_tokenize(mask) for mask in masks], arrays) == expected
