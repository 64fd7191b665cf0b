"""Removing folders, whoever else removes them or goes on writing there."""

from contextlib import suppress
import errno
import os
from pathlib import Path
import threading

import pytest

from storage import files


def test_removing_goes_on_while_others_remove_and_write(tmp_path: Path) -> None:
    """An attempt that goes on writing for a while into a folder that two launchers remove at once."""
    home, wrong = tmp_path / "home", []
    for number in range(300):
        files.put(f"{home}/{number % 7}/{number}", b"x")
    stop = threading.Event()

    def write() -> None:
        for number in range(10_000):
            if stop.is_set():
                return
            with suppress(FileNotFoundError):
                files.put(f"{home}/3/late-{number}", b"x", above=False)

    def remove() -> None:
        try:
            files.remove(str(home))
        except OSError as error:
            wrong.append(error)

    threads = [threading.Thread(target=target) for target in (write, remove, remove)]
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join()
    stop.set()
    threads[0].join()
    assert wrong == []
    assert os.listdir(tmp_path) == []


def test_a_writer_that_keeps_pace_does_not_keep_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file more in the folder each time that it is about to be removed."""
    home, remove_folder = tmp_path / "home", os.rmdir

    def write_and_remove(folder: Path) -> None:
        with suppress(FileNotFoundError):
            files.put(f"{home}/attempt/deep/late", b"x", above=False)
        remove_folder(folder)

    files.put(f"{home}/attempt/deep/first", b"x")
    # pytest removes the test's own folder while `monkeypatch` still holds.
    with monkeypatch.context() as patch:
        patch.setattr(os, "rmdir", write_and_remove)
        files.remove(str(home))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "times"), [(errno.ENOTEMPTY, 3), (errno.EEXIST, 3), (errno.EACCES, 1)]
)
def test_a_folder_that_fills_up_again_is_removed_again_and_no_other_error_is_tried_twice(
    error: int, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures, tried, real = [OSError(error, os.strerror(error))] * 2, [], os.rmdir

    def remove_folder(path: Path) -> None:
        tried.append(path)
        if failures:
            raise failures.pop()
        real(path)

    (tmp_path / "home").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "rmdir", remove_folder)
        if times == 1:
            with pytest.raises(PermissionError):
                files.remove(f"{tmp_path}/home")
        else:
            files.remove(f"{tmp_path}/home")
            assert os.listdir(tmp_path) == []
    assert len(tried) == times


def test_removing_does_not_follow_links(tmp_path: Path) -> None:
    for name in ("outside/kept", "home/sub/gone"):
        files.put(f"{tmp_path}/{name}", b"x")
    for name in ("home/sub/folder", "home/file", "link"):
        (tmp_path / name).symlink_to(
            tmp_path / ("outside/kept" if name.endswith("file") else "outside")
        )
    files.remove(f"{tmp_path}/home")
    files.remove(f"{tmp_path}/link")
    assert [p.name for p in sorted(tmp_path.rglob("*"))] == ["outside", "kept"]
