"""The check for GPUs works: a small part of it runs on a CPU, as the script would on a GPU."""

from collections.abc import Sequence
import json
from pathlib import Path
import subprocess

import numpy as np
import pytest

from configs.errors import ModelError
from model_zoo.scoring.scorer import Scorer
from tests.gpu import __main__ as check
from tests.gpu import programs as steps_of_programs
from tests.gpu.bench import Bench, NotHere, find_cosine, load_unless_absent
from tests.gpu.steps import STEPS
from tests.support.long import long
from tests.support.processes import gone_within
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
    assert table.startswith("| what is shown |")
    assert "| scores on the device are the CPU's | yes |" in table

    status = check.main([*words, "--patience=0.001", "placement"])
    assert status == 1
    found = json.loads(results.read_text())
    assert [step["outcome"] for step in found["steps"]] == ["out of time"]


@pytest.mark.program
def test_a_step_that_is_late_ends_with_all_that_it_has_started(tmp_path: Path) -> None:
    session = tmp_path / "session"
    command = ["sh", "-c", f"echo $$ > {session}; sleep 600 & wait"]
    with pytest.raises(subprocess.TimeoutExpired):
        check.run_for(command, seconds=3.0)
    gone_within(60, int(session.read_text()))


def test_without_its_device_nothing_is_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "gpu_check.json"
    # No machine has so many.
    status = check.main(["--device=cuda:99", f"--json={results}", "placement"])
    assert status == 2
    assert not results.exists()
    said = capsys.readouterr()
    assert said.out == ""
    assert "--device is cuda:99" in said.err
    assert "--device cpu --size 0.01" in said.err


def test_an_engine_that_is_here_and_is_refused_has_failed() -> None:
    def load() -> Scorer:
        raise ModelError("does not take it")

    with pytest.raises(ModelError):
        load_unless_absent(load, absent="")
    with pytest.raises(NotHere, match="does not take it"):
        load_unless_absent(load, absent="TensorRT")


def test_an_engine_that_is_not_here_and_computes_has_failed() -> None:
    scorer = Scorer.__new__(Scorer)
    assert load_unless_absent(lambda: scorer, absent="") is scorer
    with pytest.raises(AssertionError, match="TensorRT is not here"):
        load_unless_absent(lambda: scorer, absent="TensorRT")


def test_a_row_without_numbers_has_no_cosine_that_passes() -> None:
    expected = {"logits": np.ones((3, 4), np.float32)}
    broken = {"logits": np.ones((3, 4), np.float32)}
    assert find_cosine(broken, expected) == pytest.approx(1.0)
    broken["logits"][1, 2] = np.nan
    assert find_cosine(broken, expected) == -1.0


def test_the_whole_takes_less_than_eight_minutes() -> None:
    seconds = sum(step.seconds for step in STEPS.values())
    assert seconds <= 8 * 60
