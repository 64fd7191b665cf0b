"""Which files of a folder are rows: by ending, each once, with its path below the folder in which the pattern begins."""

from pathlib import Path
from typing import Any

import pytest

from configs.errors import InputError
from pipelines.planning.folders import list_folders
from storage.input_file import find_name

NAMES = ("a.png", "B.PNG", "c.jpg", "d.txt", ".e.png", "_f.png", "Thumbs.db", "sub/g.png")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of files of all kinds, empty ones among them."""
    for name in NAMES:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "photos"


def names(folder: Path, *patterns: str, suffixes: Any = (".png",)) -> list[list[str]]:
    """The names of each folder that patterns below a folder stand for."""
    paths = [f"{folder}/{pattern}".rstrip("/") for pattern in patterns]
    found, _ = list_folders(paths, recursive=True, options={"suffixes": suffixes})
    return [[find_name(root, member) for member in root.members] for root in found]


@pytest.mark.parametrize(
    ("patterns", "suffixes", "expected"),
    [
        ([""], (".png",), [["B.PNG", "a.png", "sub/g.png"]]),
        ([""], (".JPG",), [["c.jpg"]]),
        ([""], None, [["B.PNG", "Thumbs.db", "a.png", "c.jpg", "d.txt", "sub/g.png"]]),
        (["*.png", "a.*", ""], (".png",), [["B.PNG", "a.png", "sub/g.png"]]),
        (["d.txt"], (".png",), [["d.txt"]]),
        (["sub", "a.png"], (".png",), [["a.png"], ["g.png"]]),
        (["", "sub"], (".png",), [["B.PNG", "a.png", "sub/g.png"]]),
        (["**/g.png"], (".png",), [["sub/g.png"]]),
    ],
)
def test_each_file_is_a_row_once(
    patterns: list[str], suffixes: Any, expected: list[list[str]], photos: Path
) -> None:
    assert names(photos, *patterns, suffixes=suffixes) == expected


def test_what_ends_otherwise_is_left_out_and_named(photos: Path) -> None:
    _, left_out = list_folders([str(photos)], recursive=True, options={"suffixes": [".png"]})
    left = [Path(url).name for url in left_out]
    assert left == [".e.png", "Thumbs.db", "_f.png", "c.jpg", "d.txt"]


def test_folders_below_are_asked_for(photos: Path) -> None:
    with pytest.raises(InputError, match="recursive"):
        list_folders([str(photos)], recursive=False, options={"suffixes": [".png"]})


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("*.jpg", r"matches no file but 1 that end otherwise than in \.png, .*c\.jpg first"),
        ("*.gif", "matches no file"),
        ("nowhere", "matches no file"),
    ],
)
def test_nothing_to_read_is_refused(pattern: str, words: str, photos: Path) -> None:
    with pytest.raises(InputError, match=words):
        names(photos, pattern)


def test_the_version_is_that_of_all_files(photos: Path) -> None:
    def version() -> str:
        (folder,), _ = list_folders([str(photos)], recursive=True, options={"suffixes": [".png"]})
        return folder.version

    before = version()
    assert version() == before
    (photos / "d.txt").write_text("no row")
    assert version() == before
    (photos / "a.png").write_text("x")
    assert version() != before
