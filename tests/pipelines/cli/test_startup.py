"""Programs import quickly, and leave Python as they found it; whoever imports the package as a library notices nothing."""

import gc
import subprocess
import sys

import pytest

from pipelines.cli.startup import end_imports, prepare_imports
from tests.support.repository import REPOSITORY

SOLVERS = "scipy.optimize"


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Start Python; what it imports is on stderr."""
    command = [sys.executable, "-X", "importtime", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)


@pytest.mark.program
def test_a_program_does_not_import_what_beam_wants_for_a_part_that_it_does_not_use() -> None:
    """Two real starts, of the program with `--help` and of the library: what is imported, and when, shows in no forked process."""
    program = started("-m", "pipelines.score", "--help")
    assert "runner options:" in program.stdout
    assert SOLVERS not in program.stderr
    assert SOLVERS in started("-c", "import pipelines.score").stderr


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
    manager = "apache_beam.ml.inference.model_manager"
    monkeypatch.delitem(sys.modules, manager, raising=False)
    monkeypatch.setattr(sys, "orig_argv", argv)
    monkeypatch.setattr(sys, "argv", ["-m"])  # as it is while Python looks for the module
    prepare_imports()
    with pytest.raises(ImportError):
        __import__(manager)
    assert not gc.isenabled()
    end_imports()
    assert gc.isenabled()
    assert manager not in sys.modules
    gc.unfreeze()


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
