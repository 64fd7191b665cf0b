"""A folder of a disk tells what fsspec tells of it, as far as a listing needs it."""

import os
from pathlib import Path

import fsspec
import pytest

from storage.disk_listing import list_disk_folder

KEYS = ("name", "type", "islink")


def test_kinds_and_links_are_those_of_fsspec(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to_file").symlink_to("file")
    (tmp_path / "to_folder").symlink_to("folder")
    (tmp_path / "to_nothing").symlink_to("nowhere")
    found = fsspec.filesystem("file").ls(str(tmp_path), detail=True)
    expected = [{key: info[key] for key in KEYS} for info in found]
    names, infos = list_disk_folder(str(tmp_path))
    assert names == sorted(os.listdir(tmp_path))
    assert list(infos) == sorted(expected, key=lambda info: info["name"])


def test_a_path_that_ends_with_a_slash_gets_no_second_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    (info,) = list_disk_folder(f"{tmp_path}/").infos
    assert info["name"] == f"{tmp_path}/file"


@pytest.mark.parametrize(
    ("name", "error"), [("file", NotADirectoryError), ("gone", FileNotFoundError)]
)
def test_what_is_no_folder_is_an_error(tmp_path: Path, name: str, error: type[OSError]) -> None:
    (tmp_path / "file").write_bytes(b"1")
    with pytest.raises(error):
        list_disk_folder(str(tmp_path / name))
