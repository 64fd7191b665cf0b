"""A real encoder of texts in OpenVINO: each row as torch embeds it alone, whatever its length and neighbours, and in 8 bits nearly so."""

import numpy as np
import pyarrow as pa
import pytest

pytestmark = pytest.mark.slow
pytest.importorskip("openvino")

import torch  # noqa: E402

from model_zoo.arrays import Arrays  # noqa: E402
from model_zoo.engines import openvino_int8  # noqa: E402
from model_zoo.engines.openvino_engine import OpenVinoEngine  # noqa: E402
from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.package.card import ModelCard  # noqa: E402
from model_zoo.package.package import Package, read_package  # noqa: E402
from model_zoo.scoring.length_buckets import cut_to_longest  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from model_zoo.steps.tokenize import tokenize  # noqa: E402
from tests.support.installed import need  # noqa: E402
from tests.support.text_models import (  # noqa: E402
    PARAMETERS,
    embeddings,
    encoder,
    step,
    text_package_of_both,
    texts,
)

need("onnxscript")

REFERENCE = Settings(8, engine="openvino")


def make_inputs(rows: list[str]) -> Arrays:
    numbers, mask = tokenize(pa.array(rows), step())
    return {"input_ids": numbers, "attention_mask": mask}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    folder = tmp_path_factory.mktemp("texts")
    return read_package(text_package_of_both(folder))


def sample(card: ModelCard, rows: int) -> list[dict[str, torch.Tensor]]:
    batches = []
    for start in range(0, rows, 50):
        inputs = cut_to_longest(card, make_inputs(texts(50, seed=start)))
        batches.append({name: torch.from_numpy(array) for name, array in inputs.items()})
    return batches


def test_each_row_is_as_torch_embeds_it_alone(package: Package) -> None:
    rows = texts(120, seed=7)
    expected = embeddings(encoder(), rows)
    for batch_rows, threads in ((3, 1), (8, 2), (64, 4)):
        settings = Settings(batch_rows, engine="openvino")
        scored = load_scorer(package, "cpu", settings, threads)(make_inputs(rows))
        assert not scored.rejected
        np.testing.assert_allclose(scored.outputs["embedding"], expected, rtol=0, atol=2e-6)


def test_the_same_rows_give_the_same_bits_with_any_threads(package: Package) -> None:
    inputs = make_inputs(texts(120, seed=7))
    scores = [load_scorer(package, "cpu", REFERENCE, threads)(inputs) for threads in (1, 2, 4)]
    for other in scores[1:]:
        np.testing.assert_array_equal(other.outputs["embedding"], scores[0].outputs["embedding"])


def test_a_token_that_the_encoder_does_not_know_costs_its_row(package: Package) -> None:
    inputs = make_inputs(texts(40, seed=7))
    inputs["input_ids"][11, 0] = 31
    scored = load_scorer(package, "cpu", REFERENCE, 2)(inputs)
    assert list(scored.rejected) == [11]


def test_8_bits_point_the_same_way(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    # The encoder is small, and so are its products.
    monkeypatch.setattr(openvino_int8, "_GROUP", PARAMETERS["width"])
    settings = OpenVinoEngine().calibrate(
        package,
        Settings(8, "int8", engine="openvino"),
        lambda rows: sample(package.card, rows),
    )
    rows = texts(120, seed=7)
    expected = embeddings(encoder(), rows)
    for threads in (1, 2):
        scored = load_scorer(package, "cpu", settings, threads)(make_inputs(rows))
        assert not scored.rejected
        actual = scored.outputs["embedding"]
        lengths = np.linalg.norm(actual, axis=1) * np.linalg.norm(expected, axis=1)
        cosines = (actual * expected).sum(axis=1) / lengths
        assert cosines.min() > 0.999
        assert np.abs(actual - expected).max() > 1e-5
