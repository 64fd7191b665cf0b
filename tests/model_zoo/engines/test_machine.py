"""How a machine is described, on systems that say little of themselves too."""

import os
from pathlib import Path

import pytest
import torch

from model_zoo.engines import machine

X86 = "processor\t: 0\nmodel name\t: Some Processor\nflags\t\t: fpu avx_vnni avx2\n\nmodel name\t: Another\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd sve\n"


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which Linux describes its processors; it is not there yet."""
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "Path", lambda _: path)
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    monkeypatch.setattr(machine.platform, "machine", lambda: "arm64")
    return path


def test_the_first_processor_and_those_of_its_instructions_that_matter_are_named(
    cpuinfo: Path,
) -> None:
    cpuinfo.write_text(X86)
    assert machine.machine_kind(torch.device("cpu")) == {
        "processor": "Some Processor",
        "instructions": "avx2 avx_vnni",
        "cores": str(machine.cores()),
        "device": "cpu",
        "torch": torch.__version__,
    }
    assert machine.adds_bytes_without_overflow()


@pytest.mark.parametrize("content", [ARM, None], ids=["another line", "no file"])
def test_where_linux_names_no_processor_python_does(
    content: str | None, cpuinfo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        cpuinfo.write_text(content)
    assert machine.machine_kind(torch.device("cpu"))["processor"] == "arm64"
    monkeypatch.setattr(machine.platform, "processor", lambda: "arm")
    assert machine.machine_kind(torch.device("cpu"))["processor"] == "arm"
    assert machine.instructions() == ([] if content is None else ["asimd", "sve"])
    assert not machine.adds_bytes_without_overflow()


def test_the_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    # 0 is the system's word for the process that asks.
    monkeypatch.setattr(os, "sched_getaffinity", {0: {3, 4, 7}}.__getitem__)
    assert machine.cores() == 3


@pytest.mark.parametrize(("known", "expected"), [(6, 6), (None, 1)])
def test_where_nobody_says_which_cores_those_are_all_count(
    known: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: known)
    assert machine.cores() == expected


def test_a_cuda_device_is_named_by_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"model {device.index}")
    assert machine.device_name(torch.device("cuda", 1)) == "cuda (model 1)"
    assert machine.device_name(torch.device("cpu")) == "cpu"
