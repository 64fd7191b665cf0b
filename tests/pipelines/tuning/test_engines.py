"""Which engines tuning tries: those that read a form of the model, compute on the device, and are wanted."""

import pytest

from configs.errors import JobError
from model_zoo.package.card import ModelCard
from pipelines.tuning.engines import find_engines

DIGEST = "0" * 64


@pytest.fixture
def card() -> ModelCard:
    """A card of a network that is there as a graph, too."""
    files = {name: {"sha256": DIGEST, "bytes": 1} for name in ("weights.safetensors", "model.onnx")}
    return ModelCard.model_validate(
        {
            "name": "m",
            "version": "1",
            "builder": "mlp",
            "onnx": {"model": "model.onnx"},
            "columns": (),
            "inputs": {"x": {"shape": (3,)}},
            "outputs": {"logit": {"shape": ()}},
            "files": files,
        }
    )


def names(card: ModelCard, wanted: str, without: list[str], device: str) -> list[str]:
    found = find_engines(card, wanted, without, device)
    return sorted(engine.name for engine in (*found.usable, *found.missing))


def test_all_that_read_a_form_and_compute_on_the_device(card: ModelCard) -> None:
    assert names(card, "auto", [], "cpu") == ["onnxruntime", "openvino", "torch"]
    assert names(card, "auto", [], "cuda") == ["onnxruntime", "tensorrt", "torch"]


def test_the_one_that_the_job_names_whatever_the_device(card: ModelCard) -> None:
    assert names(card, "openvino", [], "cpu") == ["openvino"]
    assert names(card, "tensorrt", [], "cpu") == ["tensorrt"]


def test_those_that_are_left_out(card: ModelCard) -> None:
    assert names(card, "auto", ["torch", "int8"], "cpu") == ["onnxruntime", "openvino"]
    with pytest.raises(JobError, match=r"--without openvino: the job says model.engine openvino"):
        names(card, "openvino", ["openvino"], "cpu")
