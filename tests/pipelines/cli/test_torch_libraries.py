"""torch's libraries are loaded beside other imports, which do not wait for it."""

from contextlib import suppress
from importlib.machinery import ModuleSpec
import os
from pathlib import Path
import subprocess
import sys
import threading

import pytest

from configs.errors import JobError
from pipelines import score
from pipelines.cli import startup, torch_libraries
from pipelines.cli.torch_libraries import _load_libraries, load_torch_libraries_aside
from tests.support.repository import REPOSITORY

# What `python -m pipelines.score` does until torch is imported, and what it sees of it.
STARTED = """
from importlib.machinery import ExtensionFileLoader
import sys
import threading
sys.argv = ["-m"]
sys.orig_argv = ["python", "-m", "pipelines.score"]

def list_machine_code():
    specs = [getattr(module, "__spec__", None) for module in list(sys.modules.values())]
    return {spec.name for spec in specs if spec and isinstance(spec.loader, ExtensionFileLoader)}

import pipelines.score
from pipelines.cli.torch_libraries import load_torch_libraries_aside
load_torch_libraries_aside()
(loading,) = set(threading.enumerate()) - {threading.main_thread()}
# Python's own end must wait for it, or crashes now and then.
print(loading.daemon)
before = list_machine_code()
import pipelines.cli.load_job
import pipelines.scoring.plan_job
print(sorted(list_machine_code() - before))
loading.join()
print("torch" in sys.modules, "libtorch_cpu.so" in open("/proc/self/maps").read())
import torch
print(torch.ones(2).sum().item())
"""


@pytest.mark.program
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they have other names")
@pytest.mark.skipif("LD_LIBRARY_PATH" in os.environ, reason="there torch loads them itself")
def test_they_are_there_before_torch_and_no_other_import_waits_for_the_linker() -> None:
    command = [sys.executable, "-c", STARTED]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["False", "[]", "False True", "2.0"]


def test_where_there_are_none_nothing_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _load_libraries(tmp_path)
    (tmp_path / "libtorch_global_deps.so").write_bytes(b"no library")
    _load_libraries(tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the folders whose libraries are asked for."""
    folders: list[Path] = []
    monkeypatch.setattr(torch_libraries, "_load_libraries", folders.append)
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    return folders


def find_in(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ModuleSpec("torch", None, origin=str(package / "__init__.py"))
    monkeypatch.setattr(torch_libraries, "find_spec", lambda _: spec)


def test_where_torch_loads_others_before_its_own_it_is_left_to_it(
    begun: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_in(tmp_path, monkeypatch)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/local/cuda/lib64")
    load_torch_libraries_aside()
    monkeypatch.delenv("LD_LIBRARY_PATH")
    rocm = tmp_path / "_rocm_init.py"
    rocm.touch()
    load_torch_libraries_aside()
    assert begun == []
    rocm.unlink()
    monkeypatch.setattr(torch_libraries, "_IMPORTED_FIRST", ("mmap", "no_such_module"))
    before = set(threading.enumerate())
    load_torch_libraries_aside()
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert begun == [tmp_path / "lib"], "what cannot be imported is told by who needs it"


@pytest.mark.parametrize("spec", [None, ModuleSpec("torch", None)])
def test_without_torch_no_thread_is_begun(
    spec: ModuleSpec | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_libraries, "find_spec", lambda _: spec)
    before = threading.enumerate()
    load_torch_libraries_aside()
    assert threading.enumerate() == before


@pytest.mark.parametrize(
    ("words", "is_started", "is_loaded"),
    [
        (["--quiet"], True, True),
        (["--direct_num_workers=1"], True, True),
        (["--help"], True, False),
        (["--no_such_flag"], True, False),
        (["--quiet"], False, False),
    ],
)
def test_only_a_program_that_scores_loads_them_once_its_flags_are_right(
    words: list[str], is_started: bool, is_loaded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[None] = []
    monkeypatch.setattr(score, "load_torch_libraries_aside", lambda: calls.append(None))
    monkeypatch.setattr(startup, "_is_program", is_started)
    with suppress(JobError, SystemExit):
        score._parse(words)
    assert len(calls) == int(is_loaded)
