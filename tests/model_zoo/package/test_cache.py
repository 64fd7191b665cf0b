"""Copies of package files on this machine; `tests/object_stores/test_model_cache.py` is about packages that are read through them."""

import hashlib
from pathlib import Path
import tempfile

import pytest

from model_zoo.package import cache as package_cache

CONTENT = b"weights"
NAME = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files of a machine without any copy."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_is_kept_is_found_by_its_digest() -> None:
    assert package_cache.read_copy(NAME) is None
    package_cache.keep_copy(CONTENT)
    assert package_cache.read_copy(NAME) == CONTENT


def test_a_copy_that_cannot_be_stored_leaves_nothing(machine: Path) -> None:
    package_cache.keep_copy(b"another")
    (folder,) = machine.iterdir()
    (folder / NAME / "in the way").mkdir(parents=True)
    package_cache.keep_copy(CONTENT)
    assert package_cache.read_copy(NAME) is None
    assert {path.name for path in folder.iterdir()} == {
        NAME,
        hashlib.sha256(b"another").hexdigest(),
    }


def test_what_does_not_fit_goes(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_cache, "_MOST_BYTES", len(CONTENT) - 1)
    package_cache.keep_copy(CONTENT)
    assert [list(folder.iterdir()) for folder in machine.iterdir()] == [[]]
