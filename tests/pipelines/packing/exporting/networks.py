"""Small networks of each kind, rows for them, and cards that say what they take and give."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from model_zoo.arrays import Arrays
from model_zoo.package.card import ModelCard

TOKENS = 12
ROWS = 64


def card_of(builder: str, inputs: Arrays, outputs: Mapping[str, Any], **more: Any) -> ModelCard:
    """What a package says of a network that takes and gives this."""
    taken = {name: {"dtype": str(a.dtype), "shape": a.shape[1:]} for name, a in inputs.items()}
    given = {
        name: {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": tensor.shape[1:]}
        for name, tensor in outputs.items()
    }
    fields = {"name": "n", "version": "1", "builder": builder, "columns": (), "files": {}}
    return ModelCard.model_validate({**fields, "inputs": taken, "outputs": given, **more})


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def masks(rows: int, steps: int, dtype: str) -> np.ndarray:
    lengths = np.random.default_rng(1).integers(1, steps + 1, (rows, 1))
    return (np.arange(steps) < lengths).astype(dtype)


OURS = {
    "mlp": ({"in_features": 5, "hidden": [8], "out_features": 1}, {"x": draw(64, 5)}),
    "cnn": (
        {"channels": 1, "height": 8, "width": 8, "classes": 10, "widths": [4, 8]},
        {"image": draw(64, 1, 8, 8)},
    ),
    "resnet18": ({"classes": 3}, {"image": draw(9, 3, 16, 16)}),
    "gru": (
        {"features": 2, "hidden": 4, "out_features": 3},
        {"x": draw(64, 7, 2), "mask": masks(64, 7, "bool")},
    ),
    "lstm": ({"features": 2, "hidden": 4, "out_features": 1, "layers": 2}, {"x": draw(64, 7, 2)}),
}


def texts() -> Arrays:
    """Texts of 1 to `TOKENS` tokens, for `ENCODER`."""
    ids = np.random.default_rng(0).integers(0, 50, (ROWS, TOKENS))
    return {"input_ids": ids, "attention_mask": masks(ROWS, TOKENS, "int64")}


ENCODER = {
    "vocabulary": 50,
    "width": 16,
    "layers": 2,
    "heads": 2,
    "feed_forward": 32,
    "positions": TOKENS,
}
