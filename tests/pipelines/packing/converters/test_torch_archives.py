"""A file that may run code is opened only when its owner says so, and told apart by what it holds."""

import io
from pathlib import Path
import pickle
import shutil
from typing import Any
import zipfile

import pytest
import torch
from torch import nn

from configs.errors import JobError, ModelError
from pipelines.packing.converters.torch_archives import find_program
from pipelines.packing.networks.state import read_weights
from tests.support.graphs import pack_file
from tests.support.torch_programs import exported, first_rows, numbers

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*torch.jit.*is deprecated:DeprecationWarning"
)  # fmt: skip


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, x):
        return self.layer(x)


class Planted:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "ran")


@pytest.fixture(scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    network = Small().eval()
    exported(folder / "exported.pt2", network, [first_rows(numbers(8))])
    torch.jit.save(torch.jit.script(network), folder / "script.pt")
    torch.save(network.state_dict(), folder / "state.pt")
    torch.save(network, folder / "whole.pt")
    return folder


@pytest.fixture
def folder(_files: Path, tmp_path: Path) -> Path:
    """A file of each kind, for each test its own."""
    shutil.copytree(_files, tmp_path, dirs_exist_ok=True)
    return tmp_path


def plant(path: Path, mark: Path) -> Path:
    """Put a pickle that runs code in the place of an exported program's example."""
    sample = io.BytesIO()
    torch.save((Planted(mark),), sample)
    planted = path.with_name("planted.pt2")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(planted, "w") as new:
        for record in old.infolist():
            is_sample = record.filename.endswith("sample_inputs/model.pt")
            new.writestr(record, sample.getvalue() if is_sample else old.read(record))
    return planted


def test_nothing_is_opened_without_its_owners_word(folder: Path) -> None:
    mark = folder / "mark"
    planted = plant(folder / "exported.pt2", mark)
    message = (
        r"can run code \(torch.export.load falls back to full unpickling.* was not opened; say"
    )
    with pytest.raises(JobError, match=message):
        pack_file(folder, "exported", planted, numbers(8))
    with pytest.raises(
        JobError, match=r"operators may read and write files\), and it was not opened"
    ):
        pack_file(folder, "torchscript", folder / "script.pt", numbers(8))
    # Whatever it holds, and even if nobody may read it.
    (folder / "bare.pt2").write_bytes(pickle.dumps(Planted(mark)))
    with pytest.raises(JobError, match="was not opened"):
        find_program("exported", str(folder / "bare.pt2"), is_trusted=False)
    assert not mark.exists()


def test_what_loading_would_run_is_true(folder: Path) -> None:
    # If torch no longer runs it, the message above says too much.
    mark = folder / "mark"
    planted = plant(folder / "exported.pt2", mark)
    with pytest.raises(ModelError, match=r"makes no module of it: .* export it again"):
        pack_file(folder, "exported", planted, numbers(8), trust_this_file="true")
    assert mark.read_text() == "ran"


@pytest.mark.parametrize(
    ("kind", "file", "message"),
    [
        ("exported", "script.pt", "a TorchScript program; give it to --torchscript"),
        ("torchscript", "exported.pt2", "a program of torch.export; give it to --exported"),
        ("exported", "state.pt", "a state dict or a whole model, and no program; give a state dict to"),
        ("torchscript", "state.pt", "a state dict or a whole model, and no program"),
        ("torchscript", "whole.pt", "a state dict or a whole model, and no program"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_named(folder: Path, kind: Any, file: str, message: str) -> None:
    with pytest.raises(JobError, match=message):
        find_program(kind, str(folder / file), is_trusted=True)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("script.pt", "is no state dict, but a TorchScript program; give it to --torchscript"),
        ("exported.pt2", "is no state dict, but a program of torch.export; give it to --exported"),
    ],
)
def test_weights_that_are_a_program_are_named(folder: Path, file: str, message: str) -> None:
    with pytest.raises(JobError, match=message):
        read_weights(str(folder / file))
    assert read_weights(str(folder / "state.pt")).state.keys() == Small().state_dict().keys()


def test_right_ones_are_found(folder: Path) -> None:
    assert find_program("exported", str(folder / "exported.pt2"), True) == folder / "exported.pt2"
    assert find_program("torchscript", str(folder / "script.pt"), True) == folder / "script.pt"


def test_a_compiled_program_is_named(folder: Path) -> None:
    with zipfile.ZipFile(folder / "aot.pt2", "w") as archive:
        archive.writestr("aot/data/aotinductor/model/net.so", b"")
        archive.writestr("aot/models/model.json", b"")
    with pytest.raises(JobError, match="AOTInductor compiled for one kind of machine"):
        find_program("exported", str(folder / "aot.pt2"), is_trusted=True)


@pytest.mark.parametrize("kind", ["exported", "torchscript"])
def test_a_file_that_is_none_or_cut_off_is_refused(folder: Path, kind: Any) -> None:
    whole = (folder / {"exported": "exported.pt2", "torchscript": "script.pt"}[kind]).read_bytes()
    torn = folder / "torn.pt"
    for content in (b"", b"PK\x03\x04", b"no archive", whole[: len(whole) // 2], whole[:-1]):
        torn.write_bytes(content)
        with pytest.raises(JobError, match="no whole file of torch"):
            find_program(kind, str(torn), is_trusted=True)
    with pytest.raises(JobError, match="there is no such file"):
        find_program(kind, str(folder / "none.pt"), is_trusted=False)


@pytest.mark.parametrize("kind", ["exported", "torchscript"])
def test_a_broken_record_is_told_in_a_line(folder: Path, kind: Any) -> None:
    pytest.importorskip("onnxscript")
    source = folder / {"exported": "exported.pt2", "torchscript": "script.pt"}[kind]
    broken = folder / "broken.pt"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(broken, "w") as new:
        for record in old.infolist():
            content = old.read(record)
            is_program = record.filename.endswith((".json", "data.pkl"))
            new.writestr(record, content[: len(content) // 2] if is_program else content)
    with pytest.raises(ModelError, match=r"does not read it: .*save it again with") as refused:
        pack_file(folder, kind, broken, numbers(8), trust_this_file="true")
    assert "\n" not in str(refused.value)
