"""Copies of package files on this machine; `tests/object_stores/test_model_cache.py` is about packages that are read through them."""

import hashlib
import os
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


def test_a_copy_that_is_not_what_was_kept_is_none(machine: Path) -> None:
    package_cache.keep_copy(CONTENT)
    (folder,) = machine.iterdir()
    for other in (CONTENT[:-1], b"Weights", b""):
        (folder / NAME).write_bytes(other)
        assert package_cache.read_copy(NAME) is None


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


def test_what_was_used_longest_ago_goes_first_and_what_just_fits_stays(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_cache, "_MOST_BYTES", 30)
    contents = [bytes([number]) * 10 for number in range(4)]
    names = [hashlib.sha256(content).hexdigest() for content in contents]
    for seconds, content in enumerate(contents[:3]):
        package_cache.keep_copy(content)
        (folder,) = machine.iterdir()
        os.utime(folder / names[seconds], (seconds, seconds))
    assert {path.name for path in folder.iterdir()} == set(names[:3])
    # Used: now another one is the oldest.
    assert package_cache.read_copy(names[0]) == contents[0]
    package_cache.keep_copy(contents[3])
    assert {path.name for path in folder.iterdir()} == {names[0], names[2], names[3]}


def test_a_few_large_models_are_kept() -> None:
    assert package_cache._MOST_BYTES == 10 * 1024**3


def test_a_copy_that_another_worker_dropped_meanwhile_does_not_keep_the_others(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name is told twice, as if it had been there and were gone when its turn comes."""
    for number in range(3):
        package_cache.keep_copy(bytes([number]))
    (folder,) = machine.iterdir()
    looked = list(folder.iterdir())
    monkeypatch.setattr(Path, "iterdir", lambda _: iter([*looked, *looked]))
    monkeypatch.setattr(package_cache, "_MOST_BYTES", 0)
    package_cache.keep_copy(b"another")
    assert [path for path in looked if path.exists()] == []


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o770, 0o600, 0o1700])
def test_a_folder_that_others_may_enter_is_not_used(mode: int, machine: Path) -> None:
    package_cache.keep_copy(CONTENT)
    (folder,) = machine.iterdir()
    assert folder.stat().st_mode & 0o7777 == 0o700
    folder.chmod(mode)
    assert package_cache.private_folder("model-packages") is None
    assert package_cache.read_copy(NAME) is None
    package_cache.keep_copy(b"another")
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_what_is_no_folder_or_somebody_elses_is_not_used(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = machine / "real"
    own.mkdir(mode=0o700)
    name = f"a-{os.getuid()}"
    (machine / name).write_bytes(b"")
    (machine / name).chmod(0o700)
    assert package_cache.private_folder("a") is None
    (machine / name.replace("a", "b")).symlink_to(own)
    assert package_cache.private_folder("b") is None
    monkeypatch.setattr(os, "getuid", lambda: 12_345)
    (machine / "c-12345").mkdir(mode=0o700)
    assert package_cache.private_folder("c") is None


def test_a_mark_is_found_in_a_private_folder_alone(machine: Path) -> None:
    assert not package_cache.has_mark("model-tests", "a")
    package_cache.leave_mark("model-tests", "a")
    assert package_cache.has_mark("model-tests", "a")
    assert not package_cache.has_mark("model-tests", "b")
    (folder,) = machine.iterdir()
    folder.chmod(0o770)
    assert not package_cache.has_mark("model-tests", "a")
    package_cache.leave_mark("model-tests", "b")
    folder.chmod(0o700)
    assert not package_cache.has_mark("model-tests", "b")
