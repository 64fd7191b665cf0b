"""A model that never comes back, in a process of its own: the program ends with its status although a thread of it cannot be ended."""

from collections.abc import Callable
from contextlib import suppress
import os
from pathlib import Path
import signal

import pytest

from tests.bad_rows.networks import installed
from tests.bad_rows.spoilt_job import write_hundreds
from tests.faults.counts import full_or
from tests.support.jobs import Outcome
from tests.support.processes import gone_within, started
from tests.support.repository import REPOSITORY

STUCK = """
import threading
from model_zoo.architectures.builders import BUILDERS
from tests.bad_rows.networks import Spoilt

def spoil(x, answer):
    if (x[:, 0] == 350).any():
        threading.Event().wait()
    return answer

BUILDERS["spoilt"] = lambda **parameters: Spoilt(spoil)
"""
MODES = full_or(["multi_threading"], ["multi_threading", "in_memory", "multi_processing"])


@pytest.fixture
def _stuck(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python that is started from here on knows the network, workers as well."""
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text(STUCK)
    monkeypatch.setenv("PYTHONPATH", f"{folder / 'site'}{os.pathsep}{REPOSITORY}")


@pytest.mark.program
@pytest.mark.usefixtures("_stuck")
@pytest.mark.parametrize("mode", MODES)
def test_a_process_whose_model_is_stuck_ends_and_the_next_one_resumes(
    mode: str, folder: Path, run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real start: what must end is a whole process, with the threads that its interpreter waits for."""
    write_hundreds(folder)
    flags = ["--config", str(folder / "job.yaml"), "--quiet", "--set", "model.timeout_seconds=5"]
    program = started(
        flags, [f"--direct_running_mode={mode}", "--direct_num_workers=2"], folder / "scores"
    )
    try:
        error = program.communicate(timeout=240)[1]
        gone_within(60, program.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
    assert program.returncode == 1, error
    assert error.count("\n") == 1, error
    assert (
        "3.parquet from row 0: the model took longer than 5 s for one mini-batch of 64 rows"
        in error
    )
    assert not (folder / "scores/CURRENT").exists()
    installed(monkeypatch, lambda x, answer: answer)
    outcome = run("--set", "model.timeout_seconds=2")
    assert outcome.scored()["id"].to_pylist() == [f"k{n}" for n in range(400)]
