"""Temporary files of tests, and of programs that tests start, lie in the session's folder, which goes with it."""

import os
from pathlib import Path
import tempfile
from types import SimpleNamespace
from typing import Any

from _pytest.tmpdir import tmppath_result_key
import pytest

from tests.support import own_folders
from tests.support.own_folders import make_own_folder


def test_the_temporary_folder_is_in_the_folder_of_the_session(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own = tmp_path_factory.getbasetemp()
    folder = Path(tempfile.gettempdir())
    # A worker has a folder of its own, in the one of the session.
    assert folder.parent in (own, own.parent)
    # What programs are told.
    assert os.environ["TMPDIR"] == str(folder)


def test_the_own_folder_of_what_passed_goes_and_of_what_failed_stays(tmp_path: Path) -> None:
    for has_passed in (True, False):
        test: Any = SimpleNamespace(name="test_a[b/c]", stash={tmppath_result_key: {}})
        folders = make_own_folder(tmp_path, test)
        folder = next(folders)
        assert folder.parent == tmp_path
        assert folder.name.startswith("test_a_b_c_")
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "left").write_text("")
        test.stash[tmppath_result_key]["call"] = has_passed
        assert list(folders) == []
        assert folder.exists() == (not has_passed)


def test_each_test_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_folders, "_numbers", iter([2, 12, 13]))
    # The first two would be one, were name and number put together as they are.
    tests: list[Any] = [
        SimpleNamespace(name=name, stash={}) for name in ("test_a1", "test_a", "test_a")
    ]
    folders = {next(make_own_folder(tmp_path, test)) for test in tests}
    assert len(folders) == 3
