"""An exported program becomes a package whose scores are those of the network that it was exported from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

pytest.importorskip("onnxruntime")

from configs.errors import JobError
from tests.support.graphs import pack_file
from tests.support.installed import need
from tests.support.programs import Programs
from tests.support.torch_programs import (
    Plain,
    Recurrent,
    Towers,
    exported,
    first_rows,
    made,
    numbers,
    pairs,
    score,
)

need("onnxscript")

# Exporting takes seconds.
pytestmark = pytest.mark.slow
ROWS = torch.export.Dim("rows")


def packed(folder: Path, file: Path, frame: pd.DataFrame, **fields: Any) -> Any:
    return pack_file(folder, "exported", file, frame, trust_this_file="true", **fields)


def test_a_program_is_packed_and_gives_its_networks_scores(tmp_path: Path) -> None:
    frame, network = numbers(), made(Plain)
    file = exported(tmp_path / "net.pt2", network, [first_rows(frame)], ({0: ROWS},))
    done = packed(tmp_path, file, frame, activation="sigmoid")
    assert done.rows == 1000
    assert done.compared_with == "the exported program called directly"
    x = frame.to_numpy(np.float32)
    wanted = network(torch.tensor(x))[:, 0].detach().numpy()
    np.testing.assert_allclose(score(tmp_path, {"x": x})["output"], wanted, atol=1e-5)
    graph = (tmp_path / "package" / "model.onnx").read_bytes()
    # Where the author's files are is nobody's business.
    assert b"site-packages" not in graph
    assert b"torch_programs.py" not in graph


def test_arguments_and_a_dict_keep_their_names(tmp_path: Path) -> None:
    frame, network = pairs(), made(Towers)
    customer = frame[["age", "visits", "spent"]].to_numpy(np.float32)
    product = frame["product"].to_numpy()
    example = [torch.tensor(product[:4]), torch.tensor(customer[:4])]
    file = exported(tmp_path / "net.pt2", network, example, ({0: ROWS}, {0: ROWS}))
    inputs = {"inputs.product": "product", "inputs.customer": "[age,visits,spent]"}
    done = packed(tmp_path, file, frame, **inputs)
    assert {n: (t.dtype, t.shape) for n, t in done.card.inputs.items()} == {
        "product": ("int64", ()),
        "customer": ("float32", (3,)),
    }
    wanted = network(torch.tensor(product), torch.tensor(customer))
    found = score(tmp_path, {"product": product, "customer": customer})
    assert list(found) == ["affinity", "vector"]
    for name, tensor in wanted.items():
        np.testing.assert_allclose(found[name], tensor.detach().numpy(), atol=1e-5)


class Namesakes(nn.Module):
    """Its arguments and outputs are called like operators that it uses."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, cat: torch.Tensor, mul: torch.Tensor) -> dict[str, torch.Tensor]:
        scores = self.layer(torch.cat([cat.float().unsqueeze(1), mul * 2], dim=1))
        return {"linear": scores.relu(), "relu": scores.sum(dim=1)}


def test_names_of_operators_are_names_of_arguments_and_outputs(tmp_path: Path) -> None:
    frame, network = pairs(), made(Namesakes)
    mul = frame[["age", "visits", "spent"]].to_numpy(np.float32)
    cat = frame["product"].to_numpy()
    example = [torch.tensor(cat[:4]), torch.tensor(mul[:4])]
    file = exported(tmp_path / "net.pt2", network, example, ({0: ROWS}, {0: ROWS}))
    inputs = {"inputs.cat": "product", "inputs.mul": "[age,visits,spent]"}
    packed(tmp_path, file, frame, **inputs)
    found = score(tmp_path, {"cat": cat, "mul": mul})
    assert list(found) == ["linear", "relu"]
    for name, tensor in network(torch.tensor(cat), torch.tensor(mul)).items():
        np.testing.assert_allclose(found[name], tensor.detach().numpy(), rtol=1e-5, atol=1e-5)


def test_of_several_outputs_the_wanted_ones_are_kept(tmp_path: Path) -> None:
    frame, network = numbers(), made(Recurrent)
    file = exported(tmp_path / "net.pt2", network, [first_rows(frame)], ({0: ROWS},))
    done = packed(tmp_path, file, frame, outputs="[scores, state]")
    assert {name: tensor.shape for name, tensor in done.card.outputs.items()} == {
        "scores": (3,),
        "state": (8,),
    }
    x = frame.to_numpy(np.float32)
    found = score(tmp_path, {"x": x})
    for name, tensor in zip(found, network(torch.tensor(x)), strict=True):
        np.testing.assert_allclose(found[name], tensor.detach().numpy(), atol=1e-5)


class Masked(nn.Module):
    """A mask, an input in half precision, constants; a bool and a name of an input among the outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(
        self, batch: dict[str, torch.Tensor], times: int, mask: Any, extra: Any = None
    ) -> Any:
        half = batch["x"].float() * times
        kept = torch.where(mask[:, None], half, torch.zeros_like(half))
        return {"mask": self.layer(kept), "is_high": kept[:, 0] > 0, "nothing": extra}


def test_other_dtypes_constants_and_nested_arguments(tmp_path: Path) -> None:
    frame = numbers()[["age", "visits"]]
    frame["mask"] = np.arange(len(frame)) % 3 != 0
    frame["mask"] = frame["mask"].astype(np.int64)
    network = made(Masked)
    x = torch.tensor(frame[["age", "visits"]].to_numpy(np.float32)).half()
    mask = torch.tensor(frame["mask"].to_numpy()).bool()
    shapes = ({"x": {0: ROWS}}, None, {0: ROWS}, None)
    example = [{"x": x[:4].clone()}, 3, mask[:4].clone(), None]
    file = exported(tmp_path / "net.pt2", network, example, shapes)
    done = packed(
        tmp_path, file, frame, **{"inputs.batch_x": "[age, visits]", "inputs.mask": "mask"}
    )
    assert [tensor.dtype for tensor in done.card.inputs.values()] == ["float32", "int64"]
    found = score(tmp_path, {"batch_x": x.float().numpy(), "mask": frame["mask"].to_numpy()})
    wanted = network({"x": x}, 3, mask)
    np.testing.assert_allclose(
        found["mask_output"], wanted["mask"][:, 0].detach().numpy(), atol=1e-5
    )
    np.testing.assert_array_equal(found["is_high"], wanted["is_high"].numpy().astype(np.int32))


def test_outputs_of_a_class_of_transformers(programs: Programs, tmp_path: Path) -> None:
    outputs = pytest.importorskip("transformers.modeling_outputs")

    class Classifier(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return outputs.SequenceClassifierOutput(logits=x[:, :2] * 2)

    frame = numbers(20)
    file = exported(tmp_path / "net.pt2", Classifier(), [first_rows(frame)], ({0: ROWS},))
    frame.to_parquet(tmp_path / "rows.parquet")
    sample, package = str(tmp_path / "rows.parquet"), str(tmp_path / "package")
    words = ("--exported", str(file), "--sample", sample, "--output", package)
    words += ("--trust_this_file", "--activation", "softmax")
    # A process of its own, which has not imported the class.
    run = programs.run("pipelines.package", *words)
    assert run.returncode == 0, run.stderr
    x = frame.to_numpy(np.float32)
    np.testing.assert_allclose(score(tmp_path, {"x": x})["logits"], x[:, :2] * 2, atol=1e-6)


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.double()

    def forward(self, x):
        return torch.cond(x.sum() > 1e9, lambda x: x * 2, lambda x: x - 1, (x,))


def test_branches_and_float64(tmp_path: Path) -> None:
    frame = numbers()
    x = torch.tensor(frame.to_numpy())
    file = exported(tmp_path / "net.pt2", made(Branches), [x[:4]], ({0: ROWS},))
    done = packed(tmp_path, file, frame, activation="none")
    assert done.card.inputs["x"].dtype == "float64"
    found = score(tmp_path, {"x": x.numpy()})
    np.testing.assert_allclose(found["output"], frame.to_numpy() - 1, rtol=1e-12)
    assert b"site-packages" not in (tmp_path / "package" / "model.onnx").read_bytes()


@pytest.mark.parametrize("rows", [1, 4, 11])
def test_a_fixed_number_of_rows_is_freed(tmp_path: Path, rows: int) -> None:
    frame, network = numbers(), made(Plain)
    file = exported(tmp_path / "net.pt2", network, [first_rows(frame, rows)])
    done = packed(tmp_path, file, frame, activation="sigmoid")
    assert f"it was exported for {rows} rows at a time, and takes any number now" in done.notes
    x = frame.to_numpy(np.float32)
    wanted = network(torch.tensor(x))[:, 0].detach().numpy()
    np.testing.assert_allclose(score(tmp_path, {"x": x})["output"], wanted, atol=1e-5)


@pytest.mark.parametrize(
    "shape", [torch.export.Dim("few", min=2, max=8), 2 * torch.export.Dim("half")]
)
def test_limits_of_the_rows_are_lifted(tmp_path: Path, shape: Any) -> None:
    frame, network = numbers(99), made(Recurrent)
    file = exported(tmp_path / "net.pt2", network, [first_rows(frame)], ({0: shape},))
    packed(tmp_path, file, frame)
    x = frame.to_numpy(np.float32)
    wanted = network(torch.tensor(x))[0].detach().numpy()
    np.testing.assert_allclose(score(tmp_path, {"x": x})["output_0"], wanted, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 4, 11])
def test_rows_that_cannot_be_freed_are_refused(tmp_path: Path, rows: int) -> None:
    frame = numbers(50)
    file = exported(tmp_path / "net.pt2", made(Recurrent), [first_rows(frame, rows)])
    wanted = rf"takes exactly {rows} rows, and cannot be freed of that \(.*dynamic_shapes="
    with pytest.raises(JobError, match=wanted):
        packed(tmp_path, file, frame)
    assert not (tmp_path / "package").exists()


def in_training() -> nn.Module:
    return made(Plain).train()


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x):
        self.calls.add_(1)
        return x + self.calls


class Lone(nn.Module):
    def forward(self, x, weight):
        return x * weight


@pytest.mark.skipif(torch.cuda.is_available(), reason="its weights would be loaded there")
def test_weights_on_a_gpu_are_named(tmp_path: Path) -> None:
    file = exported(tmp_path / "net.pt2", made(Plain), [torch.zeros(4, 6)])
    moved = tmp_path / "moved.pt2"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(moved, "w") as new:
        for record in old.infolist():
            content = old.read(record)
            if record.filename.endswith(".json"):
                content = content.replace(b'"cpu"', b'"cuda"')
            new.writestr(record, content)
    with pytest.raises(JobError, match=r"its weights on a GPU.* call net.cpu\(\) before"):
        packed(tmp_path, moved, numbers(20))


class Small(nn.Module):
    def forward(self, x):
        return x.float()


@pytest.mark.parametrize(
    ("network", "example", "shapes", "message"),
    [
        (in_training, [torch.zeros(4, 6)], None, r"network in training \(aten.batch_norm.default, aten"),
        (Counting, [torch.zeros(4, 6)], None, "changes calls whenever it is called"),
        (Lone, [torch.zeros(4, 6), torch.tensor(1.0)], None, "'weight' is one number, without an axis"),
        (Lone, [torch.zeros(4, 6), torch.zeros(6)], None, r"different first dimensions \(x: 4, weight: 6"),
        (Lone, [torch.zeros(4, 6), torch.zeros(1, 6)], ({0: ROWS}, None), r"\(x: any, weight: 1\)"),
        (Small, [torch.zeros(4, 6, dtype=torch.uint8)], None, "input 'x' takes uint8, and packages hold"),
        (lambda: made(Plain), [torch.zeros(4, 6)], None, r"takes \(rows, 6\), and the columns give it \(rows, 5\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_packed_is_refused_in_a_line(
    tmp_path: Path, network: Callable[[], nn.Module], example: list, shapes: Any, message: str
) -> None:
    model = network()
    file = exported(
        tmp_path / "net.pt2", model if model.training else model.eval(), example, shapes
    )
    frame = numbers(20)[["age", "visits", "spent", "calls", "days"]]
    fields = {"activation": "none"}
    if len(example) == 2:
        fields |= {"inputs.x": "[age, visits]", "inputs.weight": "[calls, days]"}
    with pytest.raises(JobError, match=message) as refused:
        packed(tmp_path, file, frame, **fields)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "package").exists()
