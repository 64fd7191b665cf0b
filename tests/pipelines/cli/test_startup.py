"""Programs import quickly, and leave Python as they found it; whoever imports the package as a library notices nothing."""

import gc
import os
from pathlib import Path
import subprocess
import sys

import pytest

from pipelines.cli import startup
from pipelines.cli.startup import (
    end_imports,
    is_program,
    pandas_left_out,
    prepare_imports,
    quick_imports,
)
from tests.support.programs import Programs
from tests.support.repository import REPOSITORY

SOLVERS = "scipy.optimize"
MANAGER = "apache_beam.ml.inference.model_manager"


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Start Python, once with the same arguments; what it imports is on stderr."""
    command = [sys.executable, "-X", "importtime", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)


@pytest.mark.program
def test_a_program_does_not_import_what_beam_wants_for_a_part_that_it_does_not_use() -> None:
    """A real start: what is imported, and when, shows in no forked process. Who calls it as a function gets all of it, see below."""
    program = started("-m", "pipelines.score", "--dry_run")
    assert "apache_beam.ml.inference" in program.stderr
    # What Python was asked for and did not find is told, too, but nothing that is inside of it.
    inside = ("pandas.core", "apache_beam.io.gcp.bigquery_tools", "pymongo", "torch._decomp")
    for unused in (SOLVERS, *inside):
        assert f" {unused}\n" not in program.stderr


# What a program imports at most before it knows its flags, and before it knows its job.
FLAGS_ALONE = ("apache_beam", "numpy", "pandas", "pyarrow", "pydantic", "sklearn", "torch", "yaml")
JOB_ALONE = ("apache_beam", "pandas", "sklearn", "torch")
PROGRAMS = [path.stem for path in (REPOSITORY / "pipelines").glob("[a-z]*.py")]


@pytest.mark.program
@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_help_imports_nothing_but_flags(program: str) -> None:
    """Nothing that reads a file, a job or a table: each of these takes longer than all else."""
    imported = started("-m", f"pipelines.{program}", "--help").stderr
    assert "argparse" in imported
    for library in FLAGS_ALONE:
        assert f" {library}\n" not in imported


@pytest.mark.program
def test_a_wrong_flag_is_refused_as_quickly() -> None:
    """Of scoring, whose other flags are Beam's: who takes a flag is told without Beam."""
    ended = refused("pipelines.score", "--direct_num_worker=2")
    assert "did you mean --direct_num_workers?" in ended.stderr
    for library in FLAGS_ALONE:
        assert f" {library}\n" not in ended.stderr


@pytest.mark.program
@pytest.mark.parametrize("program", ["package", "score", "train", "tune"])
def test_a_wrong_job_is_refused_before_what_it_is_for_is_imported(
    program: str, tmp_path: Path
) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("nmae: wrong\n")
    ended = refused(f"pipelines.{program}", "--config", str(job))
    assert "nmae" in ended.stderr
    assert "did you mean name?" in ended.stderr
    for library in JOB_ALONE:
        assert f" {library}\n" not in ended.stderr


def refused(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Start a program that is used wrongly; what it imports is on stderr."""
    command = [sys.executable, "-X", "importtime", "-m", program, *words]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert ended.returncode == 2
    return ended


def test_a_run_that_is_published_is_found_without_beam_and_torch(
    programs: Programs, tmp_path: Path
) -> None:
    words = ("--output", str(tmp_path))
    first = programs.run("pipelines.score", *words)
    assert first.returncode == 0
    assert "already published" not in first.stdout
    again = started("-m", "pipelines.score", *words)
    assert "already published" in again.stdout
    # pyarrow asks for pandas, and does not find it.
    for library in ("apache_beam", "torch", "pandas.core", "scipy"):
        assert f" {library}\n" not in again.stderr
    # Of ours, what other programs and flags are for.
    for unused in ("configs.training", "pipelines.cli.metrics_file"):
        assert f" {unused}\n" not in again.stderr


def test_later_imports_are_quick_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "_is_program", True)
    monkeypatch.delitem(sys.modules, MANAGER, raising=False)
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    monkeypatch.delitem(sys.modules, "apache_beam")
    with quick_imports():
        assert not gc.isenabled()
        with pytest.raises(ImportError):
            __import__(MANAGER)
    assert gc.isenabled()
    assert MANAGER not in sys.modules


def test_pandas_is_left_out_where_nobody_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", sys)
    with pandas_left_out(is_unused=True):
        assert sys.modules["pandas"] is sys, "it is there already"
    monkeypatch.delitem(sys.modules, "pandas")
    with pandas_left_out(is_unused=False):
        assert "pandas" not in sys.modules
    with pandas_left_out(is_unused=True), pytest.raises(ImportError):
        __import__("pandas")
    assert "pandas" not in sys.modules


@pytest.mark.program
def test_who_calls_a_program_as_a_function_can_use_all_libraries_afterwards(tmp_path: Path) -> None:
    words = ["--runner=DirectRunner", "--output", str(tmp_path), "--quiet"]
    code = f"""
import sys
from pipelines.score import main
assert main({words!r}) == 0
assert {SOLVERS!r} in sys.modules
import apache_beam.io
import pyarrow
import torch
assert len(pyarrow.table({{"a": [1]}}).to_pandas()) == 1
assert apache_beam.io.ReadFromBigQuery
linear = torch.nn.Linear(2, 2)
assert torch.compile(linear, backend="eager")(torch.ones(1, 2)).shape == (1, 2)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


def test_what_was_imported_before_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "_is_program", True)
    assert "apache_beam" in sys.modules
    with quick_imports():
        assert gc.isenabled()


@pytest.mark.parametrize(
    "argv",
    [
        ["python", "-m", "pipelines.score"],
        ["python", "-X", "dev", "-m", "pipelines.tune", "--quiet"],
    ],
)
def test_from_the_program_s_start_on_all_is_as_ever(
    argv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, MANAGER, raising=False)
    monkeypatch.setattr(sys, "orig_argv", argv)
    monkeypatch.setattr(startup, "_is_program", False)
    monkeypatch.setattr(sys, "argv", ["-m"])  # as it is while Python looks for the module
    # Set and taken away, so that it is taken away again behind the test.
    monkeypatch.setenv("GRPC_VERBOSITY", "")
    monkeypatch.delenv("GRPC_VERBOSITY")
    prepare_imports()
    assert is_program()
    assert os.environ["GRPC_VERBOSITY"] == "ERROR"
    with pytest.raises(ImportError):
        __import__(MANAGER)
    assert not gc.isenabled()
    end_imports()
    assert gc.isenabled()
    assert MANAGER not in sys.modules


@pytest.mark.parametrize(
    "argv",
    [
        ["python", "-m", "pytest"],
        ["python", "-m", "my.program", "pipelines.score"],
        ["python", "-m", "my.program", "-m", "pipelines.score"],
        ["python", "my_program.py", "-m", "pipelines.score"],
        ["python", "-m"],
        ["python"],
    ],
)
def test_other_programs_are_left_alone(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", argv)
    monkeypatch.setattr(sys, "argv", argv[1:2])
    before = gc.isenabled(), set(sys.modules)
    prepare_imports()
    assert (gc.isenabled(), set(sys.modules)) == before


def test_a_program_of_which_nothing_more_is_known_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first argument is the flag, and the words that Python was started with hold none: an embedded interpreter."""
    monkeypatch.setattr(sys, "argv", ["-m"])
    monkeypatch.setattr(sys, "orig_argv", ["host"])
    prepare_imports()
    assert gc.isenabled()
