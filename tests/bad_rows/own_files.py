"""Models as their own libraries keep them, by engine: a small one of three numbers, and what it makes of rows."""

from collections.abc import Callable
from functools import cache
import os
from pathlib import Path
import subprocess
import sys
import tempfile
from typing import NamedTuple, TypeAlias

import numpy as np

Predict: TypeAlias = Callable[[np.ndarray], np.ndarray]
# Of the linear ones.
WEIGHTS = np.float32([[0.5], [-2.0], [1.0]])
_MAKE_KERAS = """
import sys
import keras, numpy as np
x = keras.Input((3,), name="x")
last = keras.layers.Dense(1, use_bias=False, name="margin")
model = keras.Model(x, last(x))
last.set_weights([np.array(eval(sys.argv[1]), "float32")])
model.save("model.keras")
"""


class OwnFile(NamedTuple):
    """A file of a library.

    Attributes:
        content: of the file.
        predict: what the library itself makes of rows (rows, 3); of a linear one, numpy.
        output: its name.
        takes_infinity: whether a row with an infinite number has a score.
        digits: relative difference of two ways to add three products.
    """

    content: bytes
    predict: Predict
    output: str = "margin"
    takes_infinity: bool = False
    digits: float = 1e-6


def make_rows() -> tuple[np.ndarray, np.ndarray]:
    """Return rows whose first numbers are not whole, as those of smoke batches, and their targets."""
    random = np.random.default_rng(0)
    x = random.uniform(0.1, 399.9, (500, 3)).astype(np.float32)
    return x, x[:, 0] / 100


def _multiply(rows: np.ndarray) -> np.ndarray:
    return (rows @ WEIGHTS)[:, 0]


def _make_xgboost() -> OwnFile:
    import xgboost

    x, target = make_rows()
    booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(x, target), 3)
    content = bytes(booster.save_raw("ubj"))
    return OwnFile(
        content,
        lambda rows: booster.inplace_predict(rows, predict_type="margin"),
        takes_infinity=True,
        digits=0,
    )


def _make_lightgbm() -> OwnFile:
    import lightgbm

    x, target = make_rows()
    booster = lightgbm.train({"verbosity": -1}, lightgbm.Dataset(x, target), 3)
    content = booster.model_to_string().encode()
    return OwnFile(
        content,
        lambda rows: np.float32(booster.predict(rows, raw_score=True)),
        takes_infinity=True,
        digits=0,
    )


def _make_sklearn() -> OwnFile:
    from sklearn.linear_model import Ridge
    import skops.io

    x, target = make_rows()
    model = Ridge().fit(x, target)
    content = skops.io.dumps(model)
    return OwnFile(content, lambda rows: np.float32(model.predict(rows)), output="prediction")


def _make_litert() -> OwnFile:
    from tests.support.tflite_models import linear_model

    return OwnFile(linear_model(WEIGHTS), _multiply, output="logit")


def _make_keras() -> OwnFile:
    # In a process of its own: Keras starts a backend when it is imported, which is no other test's.
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "KERAS_BACKEND": "torch", "KERAS_HOME": folder}
        command = [sys.executable, "-c", _MAKE_KERAS, str(WEIGHTS.tolist())]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        content = (Path(folder) / "model.keras").read_bytes()
    return OwnFile(content, _multiply)


_MAKERS = {
    "keras": _make_keras,
    "litert": _make_litert,
    "sklearn": _make_sklearn,
    "xgboost": _make_xgboost,
    "lightgbm": _make_lightgbm,
}
ENGINES = tuple(_MAKERS)
# As cards name the formats, and what must be installed.
FORMS = {"litert": "tflite", "sklearn": "skops"}
LIBRARIES = {"litert": "ai_edge_litert", "sklearn": "skops"}


@cache
def make_own_file(engine: str) -> OwnFile:
    """Return the file of an engine's library."""
    return _MAKERS[engine]()
