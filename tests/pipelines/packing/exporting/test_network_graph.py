"""A network exported as scoring calls it: ONNX Runtime by itself gives what torch gives, for any number of rows and tokens.

In a scorer, graphs give the same bits in mini-batches of 7 and of 64 rows, with 1, 2 and 4 threads.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from model_zoo.architectures.builders import build  # noqa: E402
from model_zoo.arrays import Arrays, count_rows  # noqa: E402
from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.package.card import ModelCard  # noqa: E402
from model_zoo.package.onnx_graph import parse_graph  # noqa: E402
from model_zoo.package.package import read_package  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from pipelines.packing.exporting.network_graph import export_network  # noqa: E402
from tests.pipelines.packing.exporting.networks import (  # noqa: E402
    ENCODER,
    OURS,
    TOKENS,
    card_of,
    draw,
    texts,
)
from tests.support.graphs import package_of  # noqa: E402
from tests.support.installed import need  # noqa: E402

need("onnxscript")

# Each export takes a second or more.
pytestmark = pytest.mark.slow


TEXTS = "sentence_encoder"
_MASK = {TEXTS: {"mask": "attention_mask"}}
# So often the rows of a network are scored: more than two of the larger mini-batches, the last of them not full.
REPEATED = 3


@dataclass(frozen=True)
class Exported:
    """A network of ours, rows for it, what it gives for them, and its graph."""

    network: nn.Module
    inputs: Arrays
    expected: dict[str, torch.Tensor]
    content: bytes


@cache
def export_ours(builder: str) -> Exported:
    parameters, inputs = (ENCODER, texts()) if builder == TEXTS else OURS[builder]
    torch.manual_seed(0)
    network = build(builder, parameters).eval()
    expected = call(network, inputs)
    card = card_of(builder, inputs, expected, **_MASK.get(builder, {}))
    return Exported(network, inputs, expected, export(network, card, inputs))


def call(network: nn.Module, inputs: Arrays) -> dict[str, torch.Tensor]:
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    with torch.inference_mode():
        return network(**tensors)  # type: ignore[no-any-return]


def export(network: nn.Module, card: ModelCard, inputs: Arrays) -> bytes:
    content: bytes = export_network(network, card, inputs).SerializeToString(deterministic=True)
    return content


def open_graph(content: bytes) -> Any:
    """ONNX Runtime's own session of an exported graph, which scoring takes."""
    parse_graph(content, {})
    # The exporter notes from which line of which file an operator comes.
    assert b"named_tensors.py" not in content
    assert b"site-packages" not in content
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def cut(inputs: Arrays, rows: int, tokens: int | None = None) -> Arrays:
    """The first rows; of texts so many tokens of each."""
    return {
        name: array[:rows] if tokens is None or array.ndim == 1 else array[:rows, :tokens]
        for name, array in inputs.items()
    }


@pytest.mark.parametrize("builder", OURS)
def test_networks_of_this_program(builder: str) -> None:
    ours = export_ours(builder)
    session = open_graph(ours.content)
    assert [value.name for value in session.get_inputs()] == list(ours.inputs)
    for rows in (1, 7, 64):
        found = session.run(list(ours.expected), cut(ours.inputs, rows))
        for array, tensor in zip(found, ours.expected.values(), strict=True):
            np.testing.assert_allclose(array, tensor[:rows].numpy(), rtol=1e-5, atol=1e-5)


def test_texts_of_any_number_of_tokens() -> None:
    ours = export_ours(TEXTS)
    session = open_graph(ours.content)
    for tokens in (1, 3, TOKENS):
        some = cut(ours.inputs, 5, tokens)
        (found,) = session.run(None, some)
        wanted = call(ours.network, some)["embedding"]
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)


@pytest.mark.parametrize("builder", [*OURS, TEXTS])
def test_bits_are_those_of_any_mini_batches_and_threads(builder: str, tmp_path: Path) -> None:
    ours = export_ours(builder)
    smoke, graph = cut(ours.inputs, 2), onnx.load_from_string(ours.content)
    how = {"smoke_tolerance": 1e-3, **_MASK.get(builder, {})}
    package = read_package(package_of(tmp_path / "m", graph, smoke, **how))
    rows = {name: np.concatenate([array] * REPEATED)[:-5] for name, array in ours.inputs.items()}
    found = []
    for batch_rows in (7, 64):
        for threads in (1, 2, 4):
            settings = Settings(batch_rows, engine="onnxruntime")
            scored = load_scorer(package, "cpu", settings, threads)(rows)
            assert not scored.rejected
            found.append(scored.outputs)
    for outputs in found:
        for name, array in outputs.items():
            assert len(array) == count_rows(rows)
            np.testing.assert_array_equal(array, found[0][name])


class _Pair(nn.Module):
    """Two inputs, one of whole numbers; a tuple of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(9, 4)
        self.layer = nn.Linear(3, 4)

    def forward(self, kind: torch.Tensor, numbers: torch.Tensor) -> tuple[torch.Tensor, ...]:
        vector = self.table(kind) * self.layer(numbers)
        return vector.sum(1, keepdim=True), vector


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_network_that_somebody_else_wrote_gives_what_its_card_names(dtype: str) -> None:
    """Inputs have the card's dtypes, whatever the network takes; a list of one number is a number."""
    torch.manual_seed(0)
    network = _Pair().eval()
    inputs = {"kind": np.arange(64) % 9, "numbers": draw(64, 3).astype(dtype)}
    with torch.inference_mode():
        score, vector = network(
            torch.from_numpy(inputs["kind"]), torch.from_numpy(inputs["numbers"]).float()
        )
    outputs = {"score": score[:, 0], "vector": vector}
    card = card_of("somebodys_module:Pair", inputs, outputs, call="positions")
    session = open_graph(export(network, card, inputs))
    for rows in (1, 7, 64):
        found = session.run(["score", "vector"], cut(inputs, rows))
        np.testing.assert_allclose(found[0], score[:rows, 0].numpy(), atol=1e-5)
        np.testing.assert_allclose(found[1], vector[:rows].numpy(), atol=1e-5)


def test_a_network_in_float64_keeps_its_digits() -> None:
    torch.manual_seed(0)
    network = nn.Linear(3, 1).double().eval()
    inputs = {"input": draw(64, 3).astype("float64")}
    with torch.inference_mode():
        output = network(torch.from_numpy(inputs["input"]))[:, 0]
    card = card_of("somebodys_module:Linear", inputs, {"output": output})
    (found,) = open_graph(export(network, card, inputs)).run(None, inputs)
    np.testing.assert_allclose(found, output.numpy(), rtol=1e-14)


def test_one_name_for_two_things_is_refused() -> None:
    card = card_of("somebodys_module:Net", {"x": draw(4, 3)}, {"x": torch.zeros(4)})
    with pytest.raises(ValueError, match="'x' is an input and an output"):
        export_network(nn.Linear(3, 1), card, {"x": draw(4, 3)})
