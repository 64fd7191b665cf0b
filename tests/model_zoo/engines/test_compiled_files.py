"""Files of machine code without a compiler: what stands beside it, and what is left when it cannot be written."""

from pathlib import Path

import pytest
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.engines import compiled, torch_private
from model_zoo.engines.compiled import compile_network, find_compile_seconds

EXAMPLE = {"x": torch.zeros(4, 3)}
IDENTITY = {"model": "one"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of machine code, of which a text is read instead of torch's code."""
    monkeypatch.setattr(compiled, "private_folder", lambda _: tmp_path)
    monkeypatch.setattr(torch_private, "load_machine_code", lambda path, *_: Path(path).read_text())
    return tmp_path


def test_machine_code_and_what_it_took_are_all_that_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def write(network: nn.Module, example: object, path: Path) -> None:
        written.append(path)
        path.write_text("code")

    monkeypatch.setattr(torch_private, "write_machine_code", write)
    network = nn.Identity()
    for _ in range(2):
        assert compile_network(network, EXAMPLE, IDENTITY).code == "code"
    # Once, and under another name first: nobody reads half of it.
    assert len(written) == 1
    assert not written[0].exists()
    (code,) = folder.glob("*.pt2")
    assert sorted(folder.iterdir()) == [code, code.with_suffix(".seconds")]
    assert find_compile_seconds() == float(code.with_suffix(".seconds").read_text())

    other_rows = {"x": torch.zeros(5, 3)}
    by_columns = {"x": torch.zeros(3, 4).T}
    for example in (other_rows, by_columns):
        compile_network(network, example, IDENTITY)
    compile_network(network, EXAMPLE, {"model": "two"})
    assert len(written) == 4


def test_what_cannot_be_written_leaves_nothing_and_is_told_in_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(network: nn.Module, example: object, path: Path) -> None:
        path.write_text("half of it")
        raise OSError("no compiler " + "x" * 400)

    monkeypatch.setattr(torch_private, "write_machine_code", fail)
    with pytest.raises(ModelError, match="cannot be compiled here: OSError: no compiler") as raised:
        compile_network(nn.Identity(), EXAMPLE, IDENTITY)
    assert list(folder.iterdir()) == []
    # As much as is shown of a compiler's message, and what is said around it.
    assert len(str(raised.value)) < 300 + 150


def test_machine_code_of_before_times_were_kept_took_nobody_knows_how_long(folder: Path) -> None:
    path = compiled._name_file(EXAMPLE, IDENTITY)
    path.write_text("code")
    compile_network(nn.Identity(), EXAMPLE, IDENTITY)
    assert find_compile_seconds() == 0.0
    path.with_suffix(".seconds").write_text("soon")
    compile_network(nn.Identity(), EXAMPLE, IDENTITY)
    assert find_compile_seconds() == 0.0
