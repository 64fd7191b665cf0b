"""What is done to parts of Beam that it keeps to itself."""

import argparse
import os
from pathlib import Path
import sys
import tempfile
from typing import Any

from apache_beam.runners.portability import job_server, local_job_service, stager
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.transforms import environments
import pytest

from configs.errors import PublishError
from pipelines.runners.beam_private import (
    _remove_own,
    add_flags,
    flush_by_size_alone,
    gather_temporary_folders,
    leave_out_unused,
    let_in_unused,
)

MODULES: list[Any] = [environments, job_server, local_job_service, stager]
MANAGER = "apache_beam.ml.inference.model_manager"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files; what Beam's modules use for them is restored."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for module in MODULES:
        monkeypatch.setattr(module, "tempfile", tempfile)
    return tmp_path


@pytest.mark.parametrize("keeps_requirements", [False, True])
def test_beams_temporary_folders_are_in_one_and_packages_stay_where_they_are(
    keeps_requirements: bool, place: Path
) -> None:
    gather_temporary_folders(keeps_requirements)
    (folder,) = place.glob("batch-prediction-*")
    for module in MODULES:
        is_gathered = module is not stager or not keeps_requirements
        assert module.tempfile.gettempdir() == str(folder if is_gathered else place)
        made = Path(module.tempfile.mkdtemp(prefix="a", suffix="z"))
        assert made.parent == (folder if is_gathered else place)
        assert made.name.startswith("a")
        assert made.name.endswith("z")
        elsewhere = place / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        assert Path(module.tempfile.mkdtemp(dir=str(elsewhere))).parent == elsewhere
        assert module.tempfile.NamedTemporaryFile is tempfile.NamedTemporaryFile


@pytest.mark.parametrize(
    ("error", "words"),
    [(OSError(28, "No space left"), "No space left"), (OSError("odd"), "odd")],
)
def test_a_folder_that_takes_no_temporary_files_is_told_with_the_fix(
    error: OSError, words: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise error

    monkeypatch.setattr(tempfile, "mkdtemp", fail)
    with pytest.raises(PublishError) as refused:
        gather_temporary_folders(False)
    assert str(refused.value) == (
        f"{place}: temporary files cannot be made there: {words}; "
        "mend the folder, or set TMPDIR to another"
    )


def test_the_folder_goes_with_its_own_process_and_with_no_fork_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gathered"
    for name in ("a", "b", "c"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").touch()
    _remove_own(str(folder), os.getpid() + 1)
    assert len(list(folder.rglob("file"))) == 3
    rmdir = os.rmdir

    def keep_one(path: str, **named: Any) -> None:
        if os.path.basename(path) == "b":
            raise PermissionError(1, "Operation not permitted", path)
        rmdir(path, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rmdir", keep_one)
        _remove_own(str(folder), os.getpid())
    assert [path.name for path in folder.iterdir()] == ["b"], "whatever can be removed goes"
    for _ in range(2):
        _remove_own(str(folder), os.getpid())
        assert not folder.exists()


def test_data_is_handed_on_by_size_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_handlers, "DATA_BUFFER_TIME_LIMIT_MS", 100)
    flush_by_size_alone()
    assert worker_handlers.DATA_BUFFER_TIME_LIMIT_MS == 0


def test_a_module_that_was_left_out_is_let_in_again_and_one_that_is_there_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, MANAGER, raising=False)
    let_in_unused()
    leave_out_unused()
    assert sys.modules[MANAGER] is None
    let_in_unused()
    assert MANAGER not in sys.modules
    monkeypatch.setitem(sys.modules, MANAGER, sys)
    leave_out_unused()
    let_in_unused()
    assert sys.modules[MANAGER] is sys


def test_flags_are_those_that_a_class_of_options_has_of_its_own() -> None:
    class Base:
        @classmethod
        def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
            parser.add_argument("--own")

    class Derived(Base):
        """It has none of its own."""

    for options, flags in ((Base, ["--own"]), (Derived, [])):
        parser = argparse.ArgumentParser(add_help=False)
        add_flags(options, parser)
        assert [name for action in parser._actions for name in action.option_strings] == flags
