"""A TorchScript program becomes a package whose scores are those of the network that it was made of."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

pytest.importorskip("onnxruntime")

from configs.errors import JobError, ModelError
from pipelines.packing.converters.torch_script import _read_signature
from tests.support.graphs import pack_file
from tests.support.installed import need
from tests.support.torch_programs import (
    Plain,
    Recurrent,
    Towers,
    first_rows,
    made,
    numbers,
    pairs,
    score,
)

need("onnxscript")

# torch would rather have everybody export.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]


def packed(folder: Path, program: Any, frame: pd.DataFrame, **fields: Any) -> Any:
    file = folder / "net.pt"
    torch.jit.save(program, file)
    return pack_file(folder, "torchscript", file, frame, trust_this_file="true", **fields)


@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_a_program_is_packed_and_gives_its_networks_scores(tmp_path: Path, how: str) -> None:
    frame, network = numbers(), made(Plain)
    scripted = how == "scripted"
    program = torch.jit.script(network) if scripted else torch.jit.trace(network, first_rows(frame))
    done = packed(tmp_path, program, frame, activation="sigmoid")
    assert done.rows == 1000
    assert done.compared_with == "the TorchScript program called directly"
    x = frame.to_numpy(np.float32)
    wanted = network(torch.tensor(x))[:, 0].detach().numpy()
    np.testing.assert_allclose(score(tmp_path, {"x": x})["output"], wanted, atol=1e-5)
    assert b"torch_programs" not in (tmp_path / "package" / "model.onnx").read_bytes()


@pytest.mark.parametrize("rows", [20, 1000])
def test_arguments_and_a_dict_keep_their_names(tmp_path: Path, rows: int) -> None:
    frame, network = pairs(rows), made(Towers)
    inputs = {"inputs.product": "product", "inputs.customer": "[age,visits,spent]"}
    done = packed(tmp_path, torch.jit.script(network), frame, **inputs)
    assert {n: (t.dtype, t.shape) for n, t in done.card.inputs.items()} == {
        "product": ("int64", ()),
        "customer": ("float32", (3,)),
    }
    customer = frame[["age", "visits", "spent"]].to_numpy(np.float32)
    product = frame["product"].to_numpy()
    wanted = network(torch.tensor(product), torch.tensor(customer))
    found = score(tmp_path, {"product": product, "customer": customer})
    assert list(found) == ["affinity", "vector"]
    for name, tensor in wanted.items():
        np.testing.assert_allclose(found[name], tensor.detach().numpy(), atol=1e-5)


def test_branches_of_what_was_scripted_stay(tmp_path: Path) -> None:
    frame, network = numbers(), made(Recurrent)
    packed(tmp_path, torch.jit.script(network), frame, outputs="[scores, state]")
    x = frame.to_numpy(np.float32)
    found = score(tmp_path, {"x": x})
    for name, tensor in zip(found, network(torch.tensor(x)), strict=True):
        np.testing.assert_allclose(found[name], tensor.detach().numpy(), atol=1e-5)


class Words(nn.Module):
    """Integers side by side, a constant with a default, a loop, and float64."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(9, 4)
        self.layer = nn.Linear(4, 4).double()

    def forward(self, ids: torch.Tensor, times: int = 3, mask: torch.Tensor | None = None):
        vector = self.words(ids).double().mean(1)
        for _ in range(times):
            vector = torch.tanh(self.layer(vector))
        return vector


def test_dtypes_are_found_by_calling(tmp_path: Path) -> None:
    network = made(Words)
    ids = np.random.default_rng(0).integers(0, 9, (1000, 2))
    frame = pd.DataFrame(ids, columns=["a", "b"])
    done = packed(tmp_path, torch.jit.script(network), frame, activation="none")
    assert done.card.inputs["ids"].dtype == "int64"
    wanted = network(torch.tensor(ids)).detach().numpy()
    np.testing.assert_allclose(score(tmp_path, {"ids": ids})["output"], wanted, atol=1e-5)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.spread = nn.Linear(1, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x):
        return self.layer(self.spread(x.unsqueeze(2))).mean((1, 2))


@pytest.mark.slow
def test_attention_takes_the_other_way(tmp_path: Path) -> None:
    frame, network = numbers(), made(Attention)
    traced = torch.jit.trace(network, first_rows(frame), check_trace=False)
    packed(tmp_path, traced, frame, activation="none")
    x = frame.to_numpy(np.float32)
    wanted = network(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(score(tmp_path, {"x": x})["output"], wanted, atol=1e-5)


@pytest.mark.slow
def test_what_no_way_leads_to_is_refused_in_a_line(tmp_path: Path) -> None:
    frame = numbers(20)
    message = "cannot be written as an ONNX graph: .*or .*give it to --exported"
    with pytest.raises(JobError, match=message) as refused:
        packed(tmp_path, torch.jit.script(made(Attention)), frame, activation="none")
    assert "\n" not in str(refused.value)


class Baked(nn.Module):
    def forward(self, x):
        return x.reshape(4, 6).sum(1)


class Counted(nn.Module):
    def forward(self, x, times: int):
        return x * times


def test_what_does_not_go_with_the_sample_is_refused_in_a_line(tmp_path: Path) -> None:
    frame = numbers(20)
    traced = torch.jit.trace(Baked(), first_rows(frame))
    with pytest.raises(ModelError, match=r"fails on torch.float32\[20, 6\]: .*shape '\[4, 6\]'"):
        packed(tmp_path, traced, frame, activation="none")
    with pytest.raises(JobError, match=r"something else than tensors \('times' is a int\)"):
        packed(tmp_path, torch.jit.script(Counted()), frame, activation="none")
    with pytest.raises(ModelError, match=r"fails on torch.float32\[20, 3\]: .*types: Long, Int"):
        packed(tmp_path, torch.jit.script(made(Words)), frame[["age", "days", "calls"]])
    assert not (tmp_path / "package").exists()


def test_a_program_in_float16_is_packed(tmp_path: Path) -> None:
    frame, network = numbers(), made(Plain).half()
    done = packed(tmp_path, torch.jit.script(network), frame, activation="none")
    assert {name: tensor.dtype for name, tensor in done.card.inputs.items()} == {"x": "float32"}
    x = frame.to_numpy(np.float32)
    with torch.inference_mode():
        wanted = network(torch.tensor(x).half())[:, 0].float().numpy()
    found = score(tmp_path, {"x": x})["output"]
    np.testing.assert_allclose(found, wanted, rtol=4e-3, atol=4e-3)


class Optional(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None, scale: float = 1.0):
        return x * scale if y is None else x * y


def test_arguments_are_those_that_the_program_names() -> None:
    signature = _read_signature(torch.jit.script(Optional()), "net.pt")
    assert signature.required == ("x",)
    assert signature.known == {"x", "y"}
    assert signature.takes("y")
    # It has no others, whatever the sample's columns are called.
    assert not signature.takes("scale")
    assert not signature.takes("z")
    assert signature.choose_call(["x", "z"]) == "positions"
