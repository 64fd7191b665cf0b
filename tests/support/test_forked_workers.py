"""Tests that forked workers run are reported as pytest reports them, and none is lost."""

from collections.abc import Callable
from pathlib import Path
import subprocess
import sys

import pytest

from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.program

_PASSES = """
def test_passes(tmp_path):
    (tmp_path / "a").write_text("b")
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run files of tests, by their names, on two forked workers."""

    def run(*flags: str, **files: str) -> subprocess.CompletedProcess[str]:
        for name, text in files.items():
            (tmp_path / f"test_{name}.py").write_text(text)
        command = [sys.executable, "-m", "tests.support.forked_workers", "--workers", "2"]
        places = ["--rootdir", str(tmp_path), "--basetemp", str(tmp_path / "temporary")]
        return subprocess.run(
            [*command, *places, "-p", "no:cacheprovider", *flags, str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
        )

    return run


def test_all_tests_of_all_files_are_reported(run: Run) -> None:
    many = "import pytest\n@pytest.mark.parametrize('n', range(50))\ndef test_many(n): pass\n"
    ended = run(one=_PASSES, two=_PASSES, three=many)
    assert ended.returncode == 0, ended.stdout
    assert "52 passed" in ended.stdout


def test_a_failure_shows_its_own_output_and_comes_out_of_the_exit_status(run: Run) -> None:
    fails = "def test_fails():\n    print('said before')\n    assert 1 + 1 == 3\n"
    prints = "def test_prints():\n    print('of another')\n"
    ended = run(one=_PASSES, two=fails, three=prints)
    assert ended.returncode == 1
    assert "said before" in ended.stdout
    assert "assert (1 + 1) == 3" in ended.stdout
    assert "of another" not in ended.stdout
    assert "1 failed, 2 passed" in ended.stdout


def test_a_warning_and_what_is_skipped_are_told(run: Run) -> None:
    warns = "import warnings\ndef test_warns():\n    warnings.warn('rarely used')\n"
    skips = "import pytest\ndef test_skips():\n    pytest.skip('not here')\n"
    ended = run("-rs", one=warns, two=skips)
    assert ended.returncode == 0, ended.stdout
    assert "UserWarning: rarely used" in ended.stdout
    assert "not here" in ended.stdout
    assert "1 passed, 1 skipped, 1 warning" in ended.stdout


def test_a_worker_that_dies_is_told_by_the_test_it_died_of(run: Run) -> None:
    dies = "import os\ndef test_dies():\n    os._exit(0)\n"
    ended = run(one=_PASSES, two=dies)
    assert ended.returncode == pytest.ExitCode.INTERNAL_ERROR
    assert "a worker ended in test_two.py::test_dies" in ended.stdout


def test_a_worker_that_gives_up_says_why(run: Run) -> None:
    leaves = "import pytest\ndef test_leaves():\n    pytest.exit('enough')\n"
    ended = run(one=leaves)
    assert ended.returncode == pytest.ExitCode.INTERNAL_ERROR
    assert "a worker gave up" in ended.stdout
    assert "enough" in ended.stdout


def test_it_stops_after_so_many_failures_and_where_nothing_can_be_collected(run: Run) -> None:
    fails = "def test_fails(): assert False\ndef test_not_reached(): pass\n"
    ended = run("-x", one=fails)
    assert ended.returncode == 1
    assert "1 failed" in ended.stdout
    assert "passed" not in ended.stdout
    ended = run(two="import nothing_of_this_name\n")
    assert ended.returncode == pytest.ExitCode.INTERRUPTED
    assert "1 error" in ended.stdout
