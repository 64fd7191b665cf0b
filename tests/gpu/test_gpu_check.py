"""The check for GPUs works: a small part of it runs on a CPU, as the script would on a GPU."""

from collections.abc import Sequence
import json
from pathlib import Path

import pytest

from tests.gpu import __main__ as check
from tests.gpu import programs as steps_of_programs
from tests.gpu.bench import Bench, NotHere
from tests.gpu.steps import STEPS
from tests.support.long import long
from tests.support.programs import Programs

SIZE = 0.001


@pytest.mark.parametrize("name", ["placement", "streams", "training"])
def test_a_step_returns_figures(name: str, tmp_path: Path) -> None:
    figures = STEPS[name].run(Bench("cpu", tmp_path, SIZE))
    assert figures


@pytest.mark.parametrize("name", ["out_of_memory", "tensorrt"])
def test_what_only_a_gpu_shows_is_said_to_be_absent(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotHere):
        STEPS[name].run(Bench("cpu", tmp_path, SIZE))


@pytest.mark.program
@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnxruntime", "program"])
def test_a_step_of_a_whole_network_returns_figures(name: str, tmp_path: Path) -> None:
    if name == "onnxruntime":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    figures = STEPS[name].run(Bench("cpu", tmp_path, SIZE))
    assert figures


@pytest.mark.slow
def test_a_network_is_tuned_for_the_device(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With forked programs: that the script starts programs is told by the step that scores a table."""

    def run(program: str, words: Sequence[str]) -> None:
        done = programs.run(program, *words)
        assert done.returncode == 0, done.stderr

    monkeypatch.setattr(steps_of_programs, "_run", run)
    figures = STEPS["tuning"].run(Bench("cpu", tmp_path, SIZE))
    assert figures["settings tried"] > 1


@long
@pytest.mark.slow
@pytest.mark.parametrize("name", ["dtypes", "model_alone", "compiled"])
def test_a_step_of_large_networks_returns_figures(name: str, tmp_path: Path) -> None:
    """On a CPU, half a minute goes by in these three, whose scores other tests compare."""
    if name != "compiled":
        pytest.importorskip("torchvision")
    figures = STEPS[name].run(Bench("cpu", tmp_path, SIZE))
    assert figures


@pytest.mark.program
def test_each_step_runs_in_a_process_of_its_own_within_its_budget(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "gpu_check.json"
    words = ["--device=cpu", f"--size={SIZE}", f"--json={results}"]
    status = check.main([*words, "--patience=20", "placement", "tensorrt"])
    assert status == 0
    found = json.loads(results.read_text())
    assert [step["outcome"] for step in found["steps"]] == ["ok", "not here"]
    assert found["machine"]["device"] == "cpu"
    table = capsys.readouterr().out
    assert "| scores on the device are the CPU's | yes |" in table

    status = check.main([*words, "--patience=0.001", "placement"])
    assert status == 1
    found = json.loads(results.read_text())
    assert [step["outcome"] for step in found["steps"]] == ["out of time"]


def test_the_whole_takes_less_than_eight_minutes() -> None:
    seconds = sum(step.seconds for step in STEPS.values())
    assert seconds <= 8 * 60
