"""Input files and folders of them: manifests hold their versions, so what makes one of a folder's files stays as it is."""

from dataclasses import replace
import hashlib

import pytest

from storage.input_file import InputFile, find_name, make_folder

MEMBERS = [InputFile("/in/a.png", 3, "size=3"), InputFile("/in/b/c.png", 4, "size=4")]


def test_a_folder_has_the_bytes_of_its_files_and_a_version_of_all_of_theirs() -> None:
    folder = make_folder("/in", MEMBERS)
    digest = hashlib.sha256(b"/in/a.png\nsize=3\n/in/b/c.png\nsize=4\n").hexdigest()
    # 128 bits of it.
    assert folder.version == f"files={digest[:32]}"
    assert (folder.url, folder.bytes, folder.identity) == ("/in", 7, "/in")
    assert folder.members == tuple(MEMBERS)


def test_of_no_files_there_is_a_version_too() -> None:
    nothing = make_folder("/in", [])
    assert nothing.bytes == 0
    assert nothing.version == f"files={hashlib.sha256().hexdigest()[:32]}"


@pytest.mark.parametrize("url", ["/in", "/in/"])
def test_a_file_has_a_name_below_its_folder(url: str) -> None:
    folder = make_folder(url, MEMBERS)
    assert [find_name(folder, member) for member in MEMBERS] == ["a.png", "b/c.png"]


def test_files_are_ordered_and_compared_without_other_names_and_members() -> None:
    one = InputFile("/in", 7, "v", identity="1:2", members=tuple(MEMBERS))
    assert one == InputFile("/in", 7, "v")
    assert one < InputFile("/in", 7, "w", identity="0:0")


def test_a_file_is_the_same_by_another_name_of_its_place_and_as_a_folder() -> None:
    file = InputFile("/in/a", 3, "size=3", identity="/in/a")
    assert replace(file, identity="/real/a", members=tuple(MEMBERS)) == file
    assert replace(file, version="size=4") != file
