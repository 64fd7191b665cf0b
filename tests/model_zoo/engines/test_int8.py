"""Networks in 8 bits: close to float32, the same bits wherever the scales are put back, and refused where they do not belong."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.architectures.builders import build
from model_zoo.architectures.named_tensors import NamedTensors
from model_zoo.engines import torch_private
from model_zoo.engines.int8 import can_quantise, measure_scales, quantise
from model_zoo.package.card import Tensor


@pytest.fixture(scope="module")
def cnn() -> nn.Module:
    torch.manual_seed(4)
    return build(
        "cnn", {"channels": 3, "height": 16, "width": 16, "classes": 5, "widths": [8, 16]}
    ).eval()


def images(rows: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((rows, 3, 16, 16), dtype=np.float32))


def batches() -> Iterator[dict[str, torch.Tensor]]:
    yield from ({"image": images(32, seed)} for seed in range(3))


@torch.inference_mode()
def logits(network: nn.Module, rows: torch.Tensor) -> np.ndarray:
    return network(image=rows)["logits"].numpy()  # type: ignore[no-any-return]


def test_int8_is_close_to_float32_and_the_same_bits_from_the_same_scales(cnn: nn.Module) -> None:
    scales = measure_scales(cnn, batches())
    rows = images(64, seed=9)
    networks = [quantise(cnn, {"image": images(n)}, scales) for n in (1, 8)]
    first, second = (logits(network, rows) for network in networks)
    expected = logits(cnn, rows)
    assert first.tobytes() == second.tobytes() != expected.tobytes()
    assert np.abs(first - expected).max() < 0.1 * np.abs(expected).max()
    assert not any(isinstance(module, nn.Conv2d) for module in networks[0].modules())


def test_the_network_that_was_given_stays_as_it_was(cnn: nn.Module) -> None:
    before = logits(cnn, images(4))
    quantise(cnn, {"image": images(2)}, measure_scales(cnn, batches()))
    assert logits(cnn, images(4)).tobytes() == before.tobytes()


def test_scales_of_another_network_are_refused(cnn: nn.Module) -> None:
    other = build(
        "cnn", {"channels": 3, "height": 16, "width": 16, "classes": 5, "widths": [8]}
    ).eval()
    with pytest.raises(ModelError, match="belong to another network"):
        quantise(cnn, {"image": images(2)}, measure_scales(other, batches()))


def test_without_rows_there_are_no_scales(cnn: nn.Module) -> None:
    with pytest.raises(ModelError, match="no rows to measure"):
        measure_scales(cnn, iter(()))


def test_torch_still_has_what_this_is_built_on(
    monkeypatch: pytest.MonkeyPatch, cnn: nn.Module
) -> None:
    """When this fails, torch has deleted its base: then int8.py goes, and OpenVINO's and ONNX Runtime's int8 are left."""
    from torch.ao.quantization import quantize_fx

    assert torch_private.has_graph_quantisation()
    assert callable(quantize_fx.prepare_fx)
    assert callable(quantize_fx.convert_fx)
    # A torch without it: what is refused, and what to do.
    monkeypatch.setattr(torch, "__file__", "/nowhere/torch/__init__.py")
    assert not can_quantise()
    with pytest.raises(
        ModelError, match=r"^int8 of torch needs torch\.ao\.quantization, which .*tune"
    ):
        measure_scales(cnn, batches())


def test_a_network_that_chooses_its_way_by_its_input_cannot_be_traced() -> None:
    class Chooses(nn.Module):
        def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"logits": image if image.sum() > 0 else -image}

    for network in (Chooses(), named(Chooses(), outputs=("logits",))):
        with pytest.raises(
            ModelError, match=r"cannot be traced for int8 \(TraceError\).*use float32"
        ):
            measure_scales(network, batches())


class Theirs(nn.Module):
    """Somebody's network of one argument, which gives a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, 5)
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(image)
        return logits


def named(network: nn.Module, outputs: tuple[str, ...] = ("output",)) -> NamedTensors:
    declared = {name: Tensor(shape=(5,)) for name in outputs}
    return NamedTensors(network.eval(), ("image",), "keywords", declared)


def test_a_network_that_somebody_else_wrote_is_quantised_behind_its_names() -> None:
    torch.manual_seed(4)
    network = named(Theirs())
    scales = measure_scales(network, batches())
    rows = images(64, seed=9)
    with torch.inference_mode():
        expected = network(image=rows)["output"].numpy()
        found = [quantise(network, {"image": images(n)}, scales) for n in (1, 8)]
        first, second = (twin(image=rows)["output"].numpy() for twin in found)
        again = network(image=rows)["output"].numpy()
    assert first.tobytes() == second.tobytes() != expected.tobytes()
    assert np.abs(first - expected).max() < 0.1 * np.abs(expected).max()
    assert not any(isinstance(module, nn.Conv2d) for module in found[0].modules())
    assert again.tobytes() == expected.tobytes()
