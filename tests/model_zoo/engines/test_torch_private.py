"""What is held of torch's own parts, told with fakes of those that take seconds to import."""

import atexit
from pathlib import Path
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from model_zoo.engines import torch_private
from model_zoo.engines.int8 import quantising


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What torch's loader of machine code is asked, in place of which a fake stands."""
    questions: list[dict[str, Any]] = []

    def load(path: str, **how: Any) -> str:
        questions.append(how)
        return path

    fake = SimpleNamespace(load_package=load)
    monkeypatch.setitem(sys.modules, "torch._inductor.package.package", fake)
    monkeypatch.setattr(torch_private, "_keep_caches_in_one_folder", lambda: None)
    return questions


@pytest.mark.parametrize(
    ("device", "number"), [("cpu", -1), ("cuda", -1), ("cuda:0", 0), ("cuda:2", 2)]
)
def test_machine_code_is_loaded_for_its_device(
    device: str, number: int, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atexit, "register", lambda _: None)
    loaded = torch_private.load_machine_code(Path("a.pt2"), 3, torch.device(device))
    assert loaded == "a.pt2"
    assert asked == [{"num_runners": 3, "device_index": number}]


def test_what_torch_unpacked_goes_at_once_on_a_cpu_and_at_the_end_on_a_gpu(
    asked: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked, gone = tmp_path / "aotinductor_x1", tmp_path / "aotinductor_x2"
    unpacked.mkdir()
    mapped = tmp_path / "maps"
    # The second is named there too, and was removed by somebody else.
    mapped.write_text(f"7f00 r-xp {unpacked}/code.so\n7f10 r-xp {gone}/code.so\n7f20 [stack]\n")
    monkeypatch.setattr(torch_private, "_MAPPED", mapped)
    at_the_end: list[Any] = []
    monkeypatch.setattr(atexit, "register", at_the_end.append)
    torch_private.load_machine_code(tmp_path / "a.pt2", 1, torch.device("cuda"))
    assert unpacked.exists()
    assert len(at_the_end) == 1
    torch_private.load_machine_code(tmp_path / "a.pt2", 1, torch.device("cpu"))
    assert not unpacked.exists()
    assert len(at_the_end) == 1


def test_folders_that_somebody_else_removed_do_not_keep_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / f"aotinductor_{number}" for number in range(20)]
    folders[7].mkdir()
    mapped = tmp_path / "maps"
    mapped.write_text("".join(f"{folder}/code.so\n" for folder in folders))
    monkeypatch.setattr(torch_private, "_MAPPED", mapped)
    torch_private._remove_unpacked()
    assert not folders[7].exists()
    # Other systems than Linux have no such list.
    mapped.unlink()
    torch_private._remove_unpacked()


def test_networks_are_traced_without_notes_that_would_bring_torchs_compiler() -> None:
    before = torch.fx.config.do_not_emit_stack_traces
    with quantising():
        assert torch.fx.config.do_not_emit_stack_traces
    assert torch.fx.config.do_not_emit_stack_traces == before


def test_an_observer_that_stands_in_two_places_is_named_twice() -> None:
    from torch.ao.quantization import MinMaxObserver

    network = nn.Module()
    network.first = network.second = MinMaxObserver()
    network.other = nn.Linear(1, 1)
    places = [place for place, _ in torch_private.list_observers(network)]
    assert places == ["first", "second"]


def test_machine_code_has_its_weights_in_it_and_one_thread(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(exported: Any, **how: Any) -> None:
        asked.append(how)

    fake = SimpleNamespace(aoti_compile_and_package=write)
    monkeypatch.setitem(sys.modules, "torch._inductor", fake)
    monkeypatch.setattr(torch.export, "export", lambda network, args, kwargs: network)
    torch_private.write_machine_code(nn.Identity(), {}, Path("a.pt2"))
    options = {"freezing": True, "cpp.threads": 1}
    assert asked == [{"package_path": "a.pt2", "inductor_configs": options}]
