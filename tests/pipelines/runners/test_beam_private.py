"""What is done to parts of Beam that it keeps to itself."""

import argparse
import os
from pathlib import Path
import sys
import tempfile
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, TypeOptions
from apache_beam.runners.portability import job_server, local_job_service, stager
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.transforms import core, environments, userstate
import pytest

from configs.errors import PublishError
from pipelines.runners.beam_private import (
    _remove_own,
    add_flags,
    flush_by_size_alone,
    gather_temporary_folders,
    graphs_made_quickly,
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


def test_options_that_are_looked_at_twice_are_parsed_once_and_are_the_same_for_all() -> None:
    options = PipelineOptions(["--streaming"])
    others = PipelineOptions([])
    with graphs_made_quickly():
        view = options.view_as(StandardOptions)
        assert options.view_as(StandardOptions) is view
        assert view.view_as(StandardOptions) is view
        options.view_as(TypeOptions).runtime_type_check = True
        assert view.view_as(TypeOptions).runtime_type_check
        assert not others.view_as(TypeOptions).runtime_type_check
        assert [view.streaming, others.view_as(StandardOptions).streaming] == [True, False]
    assert options.view_as(StandardOptions) is not view
    assert options.view_as(TypeOptions).runtime_type_check, "what was set stays"


class Counts(beam.DoFn):  # type: ignore[misc]
    """Has state, and may not be hashed."""

    __hash__ = None  # type: ignore[assignment]
    KEPT = beam.DoFn.StateParam(userstate.CombiningValueStateSpec("kept", sum))

    def process(self, element: int, kept: Any = KEPT, more: int = 2) -> None:
        """Do nothing."""


def test_the_parameters_of_a_method_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    look_up = core.get_function_args_defaults

    def ask(function: Any) -> Any:
        asked.append(function)
        return look_up(function)

    monkeypatch.setattr(core, "get_function_args_defaults", ask)
    with graphs_made_quickly():
        for _ in range(3):
            assert userstate.is_stateful_dofn(Counts())
            assert not userstate.is_stateful_dofn(beam.DoFn())
            names, defaults = core.get_function_args_defaults(Counts().process)
            assert (names, defaults[1:]) == (["element", "kept", "more"], [2])
            names.clear()
            defaults.clear()
        assert [f.__func__ for f in asked].count(Counts.process) == 1
        assert core.get_function_args_defaults(Counts.process)[0][0] == "self"
    assert core.get_function_args_defaults is ask


def test_beam_is_as_ever_where_a_graph_fails() -> None:
    before = (PipelineOptions.view_as, core.get_function_args_defaults)
    with pytest.raises(ZeroDivisionError), graphs_made_quickly():
        raise ZeroDivisionError
    assert (PipelineOptions.view_as, core.get_function_args_defaults) == before
