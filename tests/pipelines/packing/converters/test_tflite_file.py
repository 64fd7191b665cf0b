"""A `.tflite` file is packed as it is, proven row by row, and refused where LiteRT does not survive it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("ai_edge_litert")

from configs.errors import JobError, ModelError
from tests.support.graphs import pack_file
from tests.support.tflite_models import linear_model, quantised_model

# A child reads each file first.
pytestmark = pytest.mark.program
ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)).astype("f4"), columns=list("abc"))
WEIGHTS = np.random.default_rng(1).normal(size=(3, 2)).astype(np.float32)


@pytest.mark.parametrize("fixed", [0, 4])
def test_a_network_of_any_and_of_a_fixed_number_of_rows(tmp_path: Path, fixed: int) -> None:
    file = tmp_path / "m.tflite"
    file.write_bytes(linear_model(WEIGHTS, fixed))
    # A file that holds a whole model may be given as weights, too.
    packed = pack_file(tmp_path, "weights", file, ROWS, activation="softmax")
    assert packed.card.forms == {"tflite": "model.tflite"}
    assert list(packed.card.inputs) == ["x"]
    assert packed.difference < 1e-6
    assert packed.rows == 60


def test_scales_of_a_quantised_model_are_told(tmp_path: Path) -> None:
    file = tmp_path / "m.tflite"
    file.write_bytes(quantised_model(0.05, 3, negative=0.5))
    packed = pack_file(tmp_path, "tflite", file, ROWS, task="embedding")
    assert packed.card.inputs["x"].dtype == "float32"
    assert "x is int8: numbers / 0.05 + 3, as the file says" in packed.notes


def test_what_cannot_be_packed_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="there is no such file"):
        pack_file(tmp_path, "tflite", tmp_path / "none.tflite", ROWS)
    torn = tmp_path / "torn.tflite"
    torn.write_bytes(linear_model(WEIGHTS)[:200])
    with pytest.raises(ModelError, match=r"tflite .*torn.tflite: ") as refused:
        pack_file(tmp_path, "tflite", torn, ROWS)
    assert "\n" not in str(refused.value)
