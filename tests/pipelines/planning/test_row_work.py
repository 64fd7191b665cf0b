"""What a row costs behind reading: more of a larger model, of more tokens, and of a picture."""

from typing import Any

from model_zoo.package.card import ModelCard
from model_zoo.steps.image import Image
from pipelines.planning.row_work import estimate_row_work
from tests.support.builders import tiny_card

KIB = 1 << 10


def card_of(size: int, **changes: Any) -> ModelCard:
    files = {"weights.safetensors": {"sha256": "0" * 64, "bytes": size}}
    return ModelCard.model_validate({**tiny_card(**changes), "files": files})


def test_a_row_meets_each_number_of_the_model() -> None:
    assert estimate_row_work(card_of(100), ()) == 0
    assert estimate_row_work(card_of(300 * KIB), ()) == 300


def test_each_token_meets_them_too() -> None:
    tokens = {"dtype": "int64", "shape": [128]}
    card = card_of(300 * KIB, inputs={"ids": tokens, "mask": tokens}, mask="mask")
    assert estimate_row_work(card, ()) == 300 * 128


def test_each_node_of_a_graph_meets_them_too() -> None:
    inputs = {
        "x": {"shape": [9, 4]},
        "edges": {"dtype": "int64", "shape": [2, 20]},
        "count": {"dtype": "int64", "shape": []},
    }
    graph = {"nodes": "x", "edges": "edges", "count": "count"}
    assert estimate_row_work(card_of(KIB, inputs=inputs, graph=graph), ()) == 9


def test_a_picture_is_decoded() -> None:
    card = card_of(KIB, inputs={"image": {"shape": [3, 8, 8]}})
    step = Image(step="image", column="photo", into="image", height=8, width=8)
    assert estimate_row_work(card, [step]) == 1 + 3 * 8 * 8 * 4
