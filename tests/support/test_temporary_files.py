"""Temporary files of tests, and of programs that tests start, lie in the session's folder, which goes with it."""

import os
from pathlib import Path
import tempfile

import pytest


def test_the_temporary_folder_is_in_the_folder_of_the_session(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own = tmp_path_factory.getbasetemp()
    folder = Path(tempfile.gettempdir())
    # A worker has a folder of its own, in the one of the session.
    assert folder.parent in (own, own.parent)
    # What programs are told.
    assert os.environ["TMPDIR"] == str(folder)
