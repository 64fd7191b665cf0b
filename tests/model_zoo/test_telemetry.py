"""No library reports its use: not by its own default, and not where somebody's environment asks for it."""

import os
from pathlib import Path
import subprocess
import sys

import pytest

from model_zoo.telemetry import forbid_telemetry
from tests.support.repository import REPOSITORY

_IMPORT_BOTH = "import model_zoo; import onnxruntime; onnxruntime.get_available_providers()"


def test_a_variable_that_allows_it_is_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    forbid_telemetry()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_what_counts_for_openvino_cannot_be_imported() -> None:
    forbid_telemetry()
    with pytest.raises(ModuleNotFoundError):
        import openvino_telemetry  # noqa: F401


@pytest.mark.program
@pytest.mark.parametrize("said", [None, "0"])
def test_onnx_runtime_leaves_nothing_to_report_later(said: str | None, tmp_path: Path) -> None:
    """What it would send is at home until then, and the number of its session in the temporary folder."""
    pytest.importorskip("onnxruntime")
    environment = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    # It reports nothing from where it takes a machine for a build server, either.
    for name in ("ORT_DISABLE_TELEMETRY", "CI", "TF_BUILD", "GITHUB_ACTIONS"):
        environment.pop(name, None)
    if said is not None:
        environment["ORT_DISABLE_TELEMETRY"] = said
    command = [sys.executable, "-c", _IMPORT_BOTH]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)
    left = {path.name for path in tmp_path.rglob("*")}
    assert not left & {"Microsoft", ".ses"}, left
