"""What lies in the folder that a program happens to be started in is not imported, neither by it nor by its workers."""

import os
from pathlib import Path
import subprocess
import sys

import pytest

from tests.faults.counts import full_or
from tests.support.processes import run_to_its_end
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.program
SHADOWS = (
    "apache_beam",
    "configs_of_mine",
    "fsspec",
    "json5",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "torch",
    "yaml",
)
SAMPLE = REPOSITORY / "samples/breast_cancer"
STEPS = [
    "--set",
    "preprocess.modules=[evil_steps]",
    "--set",
    "preprocess.steps=[{step: function, function: 'evil_steps:f'}]",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with modules that leave a trace when they are imported."""
    for name in (*SHADOWS, "evil_steps"):
        (tmp_path / f"{name}.py").write_text(
            f"open({str(tmp_path / f'ran_{name}')!r}, 'w')\ndef f(rows):\n    return {{}}\n"
        )
    return tmp_path


def score_in(
    folder: Path, *flags: str, path: str, closed: bool = False
) -> subprocess.CompletedProcess[str]:
    """Start the program there, with a PYTHONPATH; where `closed`, without stdout and stderr."""
    command = [
        sys.executable,
        "-m",
        "pipelines.score",
        "--config",
        str(REPOSITORY / "configs/breast_cancer.yaml"),
    ]
    command += [
        "--input",
        str(SAMPLE / "shards"),
        "--model",
        str(SAMPLE / "model"),
        "--output",
        "scores",
        *flags,
    ]
    if closed:
        command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    environment["PYTHONPATH"] = path
    return run_to_its_end(command, folder, environment)


def ran(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("ran_*"))


@pytest.mark.parametrize(
    "path", full_or([f"{os.pathsep}{REPOSITORY}"], [f"{os.pathsep}{REPOSITORY}", str(REPOSITORY)])
)
def test_neither_program_nor_worker_processes_import_from_the_current_folder(
    folder: Path, path: str
) -> None:
    """A real start: the interpreter itself puts the folder on the path, of a program and of its worker.

    Without stdout and stderr, as what the interpreter does where they are closed, and a worker process, shows in no forked process
    either. All that is said is lost, and the run is not.
    """
    processes = ("--direct_running_mode=multi_processing", "--direct_num_workers=1")
    done = score_in(folder, *processes, path=path, closed=True)
    assert done.returncode == 0
    assert (folder / "scores/CURRENT").exists()
    assert ran(folder) == []


def test_a_function_step_is_not_found_there(folder: Path) -> None:
    """A real start: `python -m` puts the folder on the path, without any PYTHONPATH that names it."""
    done = score_in(folder, "--quiet", *STEPS, path=str(REPOSITORY))
    assert done.returncode == 2
    assert "evil_steps:f cannot be imported: ModuleNotFoundError" in done.stderr
    assert "name its folder in PYTHONPATH" in done.stderr
    assert ran(folder) == []


def test_a_folder_that_pythonpath_names_is_no_accident(folder: Path) -> None:
    """The control: the same folder, named, gives its modules to the program, and in the full counts to worker processes.

    A real start: what the program takes off the path, and what it leaves, is decided when it starts.
    """
    for name in SHADOWS:
        (folder / f"{name}.py").unlink()
    mode = full_or(
        "--direct_running_mode=multi_threading", "--direct_running_mode=multi_processing"
    )
    flags = ("--quiet", *STEPS, mode, "--direct_num_workers=1")
    done = score_in(folder, *flags, path=f".{os.pathsep}{REPOSITORY}")
    assert (done.returncode, done.stderr) == (0, "")
    assert ran(folder) == ["ran_evil_steps"]
