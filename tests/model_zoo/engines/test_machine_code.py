"""Which machine code is used, and when the network computes itself; `test_compiled.py` compiles.

A compiler takes seconds, so a fake one stands in here, behind `torch_private`: its machine code is a
file, and calling it returns what it was given.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.engines import compiled as module
from model_zoo.engines import torch_private
from model_zoo.engines.compiled import compile_network
from model_zoo.engines.machine import cores

Tensors = dict[str, torch.Tensor]


class Doubles(nn.Module):
    def forward(self, x: torch.Tensor) -> Tensors:
        return {"y": 2 * x}


class Compiler:
    """Writes files and loads them, and keeps what it was asked."""

    def __init__(self) -> None:
        self.written: list[Path] = []
        self.loaded: list[tuple[Path, int]] = []
        self.error: Exception | None = None

    def write(self, network: nn.Module, example: Tensors, path: Path) -> None:
        self.written.append(path)
        path.write_bytes(b"half")
        if self.error is not None:
            raise self.error
        path.write_bytes(b"machine code")

    def load(self, path: Path, runners: int, device: torch.device) -> Any:
        assert path.read_bytes() == b"machine code"
        self.loaded.append((path, runners))
        return lambda **inputs: {"code": inputs["x"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of machine code of a machine that has none."""
    monkeypatch.setattr(module, "private_folder", lambda _: tmp_path)
    return tmp_path


@pytest.fixture
def compiler(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    made = Compiler()
    monkeypatch.setattr(torch_private, "write_machine_code", made.write)
    monkeypatch.setattr(torch_private, "load_machine_code", made.load)
    return made


EXAMPLE = torch.zeros(4, 3)


def test_machine_code_computes_mini_batches_of_its_shape_and_the_network_all_others(
    compiler: Compiler,
) -> None:
    compiled = compile_network(Doubles(), {"x": EXAMPLE}, {})
    rows = torch.arange(12.0).reshape(4, 3)
    assert torch.equal(compiled(x=rows)["code"], rows)
    for shape in ((3, 3), (5, 3), (4, 2)):
        assert torch.equal(compiled(x=torch.ones(shape))["y"], torch.full(shape, 2.0))
    # As many runners as threads that may score at once.
    assert [runners for _, runners in compiler.loaded] == [cores()]


def test_machine_code_gets_rows_in_the_strides_that_it_was_made_for(compiler: Compiler) -> None:
    compiled = compile_network(Doubles(), {"x": EXAMPLE}, {})
    by_column = torch.arange(12.0).reshape(3, 4).T
    given = compiled(x=by_column)["code"]
    assert given.stride() == EXAMPLE.stride() != by_column.stride()
    assert torch.equal(given, by_column)
    rows = torch.ones(4, 3)
    assert compiled(x=rows)["code"] is rows


def test_it_is_made_once_for_one_network_shape_and_identity(
    compiler: Compiler, folder: Path
) -> None:
    identities = ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 3})
    for identity in identities:
        compile_network(Doubles(), {"x": EXAMPLE}, identity)
    for example in (torch.zeros(5, 3), torch.zeros(4, 3, dtype=torch.float64), torch.zeros(3, 4).T):
        compile_network(Doubles(), {"x": example}, identities[0])
    assert len(compiler.written) == len(identities) - 1 + 3
    # Written beside it, and moved.
    kept = {path for path, _ in compiler.loaded}
    assert set(folder.glob("*.pt2")) == kept
    # Beside it, how long it took, which whoever tunes weighs.
    assert {path.with_suffix(".seconds") for path in kept} == set(folder.glob("*.seconds"))
    assert len(list(folder.iterdir())) == 2 * len(kept)
    assert not kept.intersection(compiler.written)


def test_what_a_compiler_says_is_cut_and_nothing_half_made_is_kept(
    compiler: Compiler, folder: Path
) -> None:
    compiler.error = RuntimeError("x" * 1_000)
    with pytest.raises(ModelError) as caught:
        compile_network(Doubles(), {"x": EXAMPLE}, {})
    words = (
        f"the network cannot be compiled here: RuntimeError: {'x' * 300}; install a C++ compiler"
    )
    assert str(caught.value).startswith(words)
    assert list(folder.iterdir()) == []


def test_a_folder_that_others_may_write_to_is_not_used(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "private_folder", lambda _: None)
    with pytest.raises(ModelError, match="compiled models cannot be kept"):
        compile_network(Doubles(), {"x": EXAMPLE}, {})
    assert compiler.written == []
