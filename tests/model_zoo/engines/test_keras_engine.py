"""Keras 3 on torch, from its own file: what Keras gives, without TensorFlow; a damaged file costs a line."""

from importlib.util import find_spec
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

# Found and not imported: Keras would start the backend that it has for a default, which is TensorFlow.
if find_spec("keras") is None:
    pytest.skip("needs keras", allow_module_level=True)

from model_zoo.engines.engine import choose_engine
from model_zoo.engines.settings import Settings
from model_zoo.package.package import read_package
from model_zoo.scoring.scorer import load_scorer
from tests.support.own_forms import check_bits, check_damaged, own_form_package

# Keras starts a backend when it is imported, which is no other test's.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("forked_children")]
_MAKE = """
import keras, numpy as np
keras.utils.set_random_seed(0)
numbers = keras.Input((6,), name="numbers")
kind = keras.Input((), dtype="int32", name="kind")
joined = keras.layers.Concatenate()([numbers, keras.layers.Embedding(5, 3)(kind)])
hidden = keras.layers.Dense(16, activation="relu")(keras.layers.Dropout(0.5)(joined))
hidden = keras.layers.BatchNormalization()(hidden)
model = keras.Model([numbers, kind], keras.layers.Dense(3, activation="softmax", name="grade")(hidden))
model.save("m.keras")
rng = np.random.default_rng(0)
x, k = rng.normal(size=(101, 6)).astype("f4"), rng.integers(0, 5, 101).astype("i4")
probabilities = model.predict([x, k], verbose=0)
np.savez("m.npz", numbers=x, kind=k, probabilities=probabilities)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, np.ndarray], Any]:
    """Return a model's file, rows, and what Keras gives for them, in a process of Keras' own."""
    folder = tmp_path_factory.mktemp("keras")
    environment = {**os.environ, "KERAS_BACKEND": "torch", "KERAS_HOME": str(folder)}
    command = [sys.executable, "-c", _MAKE]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    arrays = np.load(folder / "m.npz")
    inputs = {"numbers": arrays["numbers"], "kind": arrays["kind"]}
    return (folder / "m.keras").read_bytes(), inputs, arrays["probabilities"]


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_scores_are_keras_own_and_the_same_bits_on_any_number_of_threads(
    tmp_path: Path, made: Any
) -> None:
    content, inputs, probabilities = made
    three = ["a", "b", "c"]
    logits = np.log(probabilities)
    # Up to a constant a row, which a softmax does not see: so not to be compared as they are.
    url = own_form_package(
        tmp_path / "m",
        "keras",
        content,
        inputs,
        {"grade": logits},
        activation="softmax",
        labels=three,
        smoke_tolerance=1e9,
    )
    assert choose_engine(read_package(url).card) == "keras"
    for batch_rows in (7,):
        scored = check_bits(url, "keras", inputs, batches=(batch_rows,))
        found = softmax(scored.outputs["grade"])
        np.testing.assert_allclose(found, probabilities, atol=1e-6)
    assert "keras 3." in scored.computed_by


def test_a_job_without_activation_has_what_the_model_ends_with(tmp_path: Path, made: Any) -> None:
    content, inputs, probabilities = made
    url = own_form_package(
        tmp_path / "m",
        "keras",
        content,
        inputs,
        {"grade": probabilities},
        activation="none",
        labels=[],
    )
    settings = Settings(16, engine="keras")
    scored = load_scorer(read_package(url), "cpu", settings, 1)(inputs)
    np.testing.assert_allclose(scored.outputs["grade"], probabilities, atol=1e-6)


def test_a_damaged_file_costs_a_line(tmp_path: Path, made: Any) -> None:
    content, inputs, probabilities = made
    outputs = {"grade": probabilities}
    refusals = check_damaged(tmp_path, "keras", "keras", content, inputs, outputs, 4)
    assert refusals
