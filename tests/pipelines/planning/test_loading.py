"""What is listed of a folder's file: on a disk it is looked at once more, where a name may lead elsewhere."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.planning.loading import _list_member
from storage.input_file import InputFile
from storage.rooted_file import RootedFile
from transforms.formats.file_list import Listed

MEMBER = InputFile("/photos/a.png", 7, "listed")
FOLDER = InputFile("/photos", 7, "1", members=(MEMBER,))
AS_LISTED = RootedFile("a.png", 7, "listed")
LOOKED_AT = RootedFile("a.png", 7, "looked at")


def fail(_: str) -> RootedFile:
    raise OSError("gone")


@pytest.mark.parametrize(
    ("is_local", "describe", "expected"),
    [
        # A store has no links, and has been asked once.
        (False, fail, Listed(AS_LISTED)),
        (True, lambda _: LOOKED_AT, Listed(LOOKED_AT)),
        (True, fail, Listed(AS_LISTED, "a.png: gone")),
    ],
)
def test_a_file_is_what_its_place_says(
    is_local: bool, describe: Callable[[str], RootedFile], expected: Listed
) -> None:
    root: Any = SimpleNamespace(
        is_local=is_local,
        describe=describe,
        explain=lambda error, name: f"{name}: {error}",
    )
    assert _list_member(root, FOLDER, MEMBER) == expected
