"""What a server says of its model is the card's, or the run ends before any row."""

from typing import Any

import pytest

from configs.errors import ModelError
from model_zoo.package.card import ModelCard
from model_zoo.remote.card_match import has_shape, refuse_other_model
from model_zoo.remote.client import Description, TensorSpec
from model_zoo.remote.target import Target
from tests.support.builders import tiny_card
from tests.support.memory_server import OF_TINY, URL

CARD = ModelCard.model_validate({**tiny_card(), "files": {}})
TARGET = Target("oip-grpc", URL, "churn", "3")


def describe(**changes: Any) -> Description:
    fields = {name: getattr(OF_TINY, name) for name in ("inputs", "outputs", "model_version")}
    return Description(**{"server": "s", **fields, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"inputs": {"x": TensorSpec("float32", (None,))}},
        {"outputs": {"logit": TensorSpec("float32", (1,)), "other": TensorSpec("bytes", ())}},
        {"outputs": {"logit": TensorSpec("bfloat16", (None,))}},
        # A server that says nothing of its model.
        {"inputs": {}, "outputs": {}},
    ],
)
def test_what_is_the_cards_passes(changes: dict[str, Any]) -> None:
    refuse_other_model(CARD, TARGET, describe(**changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_version": "4"}, "answers as version '4', and this run is of version '3'"),
        ({"model_version": ""}, "answers as version ''"),
        ({"inputs": {"y": TensorSpec("float32", (3,))}}, "takes y, and the package gives x"),
        (
            {"inputs": {"x": TensorSpec("float64", (3,))}},
            r"its input x is float64 \(3\) a row, and the package's is float32 \(3\)",
        ),
        ({"inputs": {"x": TensorSpec("float32", (None, 3))}}, r"its input x is float32 \(any, 3\)"),
        ({"outputs": {"y": TensorSpec("float32", ())}}, "has no output logit, but y"),
        ({"outputs": {"logit": TensorSpec("float32", (2,))}}, "its output logit"),
    ],
)
def test_what_is_not_is_refused_by_its_name(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelError, match=told) as refused:
        refuse_other_model(CARD, TARGET, describe(**changes))
    assert URL in str(refused.value)


def test_a_server_without_versions_is_taken_at_its_word() -> None:
    without = Target("torchserve-http", URL, "churn")
    refuse_other_model(CARD, without, describe(model_version=""))
    refuse_other_model(CARD, without, describe(model_version="5"))


@pytest.mark.parametrize(
    ("dtype", "shape", "described", "is_text"),
    [
        ("uint8", [8], (), True),
        ("uint8", [8], (1,), True),
        ("uint8", [8], (2,), False),
        ("uint8", [8, 8], (), False),
        ("uint8", [], (), False),
        ("int64", [8], (), False),
    ],
)
def test_bytes_side_by_side_are_a_text(
    dtype: str, shape: list[int], described: tuple[int, ...], is_text: bool
) -> None:
    fields = {**tiny_card(inputs={"x": {"dtype": dtype, "shape": shape}}), "files": {}}
    card = ModelCard.model_validate(fields)
    told = describe(inputs={"x": TensorSpec("bytes", described)})
    if is_text:
        refuse_other_model(card, TARGET, told)
        return
    with pytest.raises(ModelError, match="its input x is bytes"):
        refuse_other_model(card, TARGET, told)


@pytest.mark.parametrize(
    ("shape", "described", "fits"),
    [
        ((), (), True),
        ((), (1,), True),
        ((), (None,), True),
        ((), (2,), False),
        ((), (1, 1), False),
        ((2, 3), (2, None), True),
        ((2, 3), (3, 2), False),
        ((1,), (), False),
    ],
)
def test_sizes_fit_where_each_is_the_same_or_free(
    shape: tuple[int, ...], described: tuple[int | None, ...], fits: bool
) -> None:
    assert has_shape(shape, TensorSpec("float32", described)) is fits
