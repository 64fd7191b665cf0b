"""What a model card may say: the last value that is taken, and the first that is not."""

from typing import Any

from pydantic import ValidationError
import pytest

from model_zoo.package.card import FileEntry, ModelCard, Tensor
from tests.support.builders import tiny_card

DIGEST = "0" * 64
# As many numbers of float32 as 512 MiB hold.
MOST_NUMBERS = 512 * 2**20 // 4


def card_of(**changes: Any) -> ModelCard:
    return ModelCard.model_validate({**tiny_card(**changes), "files": {}})


@pytest.mark.parametrize(
    ("kind", "taken", "refused"),
    [
        (Tensor, {"shape": [MOST_NUMBERS]}, {"shape": [MOST_NUMBERS + 1]}),
        (Tensor, {"shape": [MOST_NUMBERS // 4, 4]}, {"shape": [MOST_NUMBERS // 4 + 1, 4]}),
        (Tensor, {"shape": [0, 3]}, {"shape": [-1, 3]}),
        (FileEntry, {"sha256": DIGEST, "bytes": 0}, {"sha256": DIGEST, "bytes": -1}),
        (FileEntry, {"sha256": DIGEST, "bytes": 1}, {"sha256": DIGEST + "0", "bytes": 1}),
    ],
)
def test_the_last_value_is_taken_and_the_next_is_not(
    kind: Any, taken: dict[str, Any], refused: dict[str, Any]
) -> None:
    kind.model_validate(taken)
    with pytest.raises(ValidationError):
        kind.model_validate(refused)


def test_the_message_says_how_many_numbers_a_row_may_have() -> None:
    with pytest.raises(
        ValidationError, match="a row of 134,217,729 numbers is more than 134,217,728"
    ):
        Tensor(shape=(MOST_NUMBERS + 1,))


def test_a_card_stays_as_it_was_read() -> None:
    card = card_of()
    with pytest.raises(ValidationError, match="frozen"):
        card.version = "2"  # type: ignore[misc]
    assert hash(card.inputs["x"]) == hash(Tensor(shape=(3,)))


def test_what_a_card_does_not_say() -> None:
    card = card_of()
    assert (card.smoke_tolerance, card.mask, card.weights) == (1e-5, None, "weights.safetensors")
    assert (card.metrics, card.libraries) == ({}, {})


@pytest.mark.parametrize("shape", [[], [3, 2]])
def test_a_mask_has_one_dimension(shape: list[int]) -> None:
    inputs = {"x": {"shape": [3]}, "mask": {"dtype": "int64", "shape": shape}}
    assert card_of(inputs=inputs, mask="x").mask == "x"
    for mask in ("mask", "nothing"):
        with pytest.raises(ValidationError, match=f"one dimension.* got '{mask}'"):
            card_of(inputs=inputs, mask=mask)


def test_a_card_names_a_model() -> None:
    fields = {name: value for name, value in tiny_card().items() if name != "builder"}
    with pytest.raises(ValidationError, match="builder is missing; a card names a network"):
        ModelCard.model_validate({**fields, "parameters": {}, "files": {}})


@pytest.mark.parametrize(
    ("edges", "is_graph"),
    [([2, 9], True), ([2, 0], True), ([3, 9], False), ([2], False), ([2, 9, 1], False)],
)
def test_edges_are_pairs_of_nodes(edges: list[int], is_graph: bool) -> None:
    inputs = {
        "x": {"dtype": "float32", "shape": [5, 3]},
        "e": {"dtype": "int64", "shape": edges},
        "n": {"dtype": "int64", "shape": []},
    }
    graph = {"nodes": "x", "edges": "e", "count": "n"}
    if is_graph:
        assert card_of(inputs=inputs, graph=graph).graph is not None
        return
    with pytest.raises(ValidationError, match="graph must name nodes"):
        card_of(inputs=inputs, graph=graph)
