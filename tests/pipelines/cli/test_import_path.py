"""Which folders are left on the import path of a program, and which its workers are told."""

import os
from pathlib import Path
import sys
import sysconfig

import pytest

from pipelines.cli import import_path
from pipelines.cli.import_path import keep_current_folder_from_workers, leave_out_current_folder
from tests.support.repository import REPOSITORY


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The current folder of a program that `python -m` is about to start, which has it on its import path in three spellings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["-m", "--quiet"])
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), f"{tmp_path}/x/..", "/usr/lib", "lib"])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return str(tmp_path)


def test_the_current_folder_is_left_out_in_every_spelling_and_nothing_else(here: str) -> None:
    path = sys.path
    leave_out_current_folder()
    assert sys.path == ["/usr/lib", "lib"]
    assert sys.path is path, "other modules hold the list"


@pytest.mark.parametrize("argv", [["/a/pipelines/score.py", "-m"], ["-c"], [], [""]])
def test_whoever_imports_the_package_in_another_way_keeps_it(
    argv: list[str], here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    before = list(sys.path)
    leave_out_current_folder()
    assert sys.path == before


@pytest.mark.parametrize("named", [".", "{here}", "/elsewhere{sep}{here}"])
def test_a_folder_that_the_user_named_stays(
    named: str, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", named.format(here=here, sep=os.pathsep))
    before = list(sys.path)
    leave_out_current_folder()
    assert sys.path == before


def test_from_a_folder_that_is_gone_a_program_ends_with_one_line(
    here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(SystemExit) as ended:
        leave_out_current_folder()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: the current folder is gone; go to one that is there\n"


def test_a_checkout_that_one_stands_in_stays(here: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(sys, "path", ["", "/usr/lib"])
    leave_out_current_folder()
    assert sys.path == ["", "/usr/lib"]


@pytest.mark.parametrize(
    ("named", "expected"),
    [("", []), ("/a{sep}{sep}/b{sep}/a", ["/a", "/b"]), ("a", ["{here}/a"])],
)
def test_workers_import_from_the_checkout_and_from_what_the_user_named(
    named: str, expected: list[str], here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", named.format(sep=os.pathsep))
    keep_current_folder_from_workers()
    folders = [folder.format(here=here) for folder in expected]
    assert os.environ["PYTHONPATH"].split(os.pathsep) == [str(REPOSITORY), *folders]
    assert os.environ["PYTHONSAFEPATH"] == "1"


@pytest.mark.parametrize("kind", ["purelib", "platlib"])
def test_workers_of_an_installed_program_are_told_no_folder_of_packages(
    kind: str, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_path, "_ROOT", sysconfig.get_path(kind))
    monkeypatch.setenv("PYTHONPATH", "/a")
    keep_current_folder_from_workers()
    assert os.environ["PYTHONPATH"] == "/a"
