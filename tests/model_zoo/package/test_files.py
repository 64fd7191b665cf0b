"""Files of a package: where they are, and how far they are read."""

import hashlib
from pathlib import Path

import pytest

from configs.errors import ModelError
from model_zoo.package import files
from model_zoo.package.card import FileEntry
from model_zoo.package.files import ListedFile, is_remote, read_file

CONTENT = b"0123456789abcdef"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/models/a", False),
        ("models/a", False),
        ("file:///models/a", False),
        ("memory://models/a", False),
        ("s3://models/a", True),
    ],
)
def test_a_package_is_remote_where_a_network_is_between(url: str, expected: bool) -> None:
    assert is_remote(url) == expected


def test_one_byte_more_than_allowed_is_read_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(CONTENT)
    for most in (0, 4, 15, 16, 17):
        assert read_file(str(tmp_path), "f", most) == CONTENT[: most + 1]


def test_a_file_that_cannot_be_read_is_told_in_words_and_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "f").symlink_to("f")
    with pytest.raises(ModelError) as refused:
        read_file(str(tmp_path), "f", 4)
    told = "it is a link, and a package holds files themselves; see that this file can be read from here"
    assert str(refused.value) == f"{tmp_path}/f: cannot be read: {told}"


@pytest.mark.parametrize("piece_bytes", [1, 4, 5, 8, 15, 16, 17])
@pytest.mark.parametrize("change", [0, 1, -1, 8])
def test_a_file_of_another_length_is_found_whatever_is_read_at_a_time(
    change: int, piece_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that begins as listed, and goes on."""
    monkeypatch.setattr(files, "_PIECE_BYTES", piece_bytes)
    entry = FileEntry(sha256=hashlib.sha256(CONTENT).hexdigest(), bytes=len(CONTENT))
    listed = ListedFile(str(tmp_path), "f", entry)
    (tmp_path / "f").write_bytes((CONTENT + CONTENT)[: len(CONTENT) + change])
    if not change:
        listed.check()
        assert listed.read() == CONTENT
        return
    for read in (listed.check, listed.read):
        with pytest.raises(ModelError, match="size or sha256 differs"):
            read()


@pytest.mark.parametrize("size", [0, 1, 3])
def test_small_files_are_what_they_are_listed_as(size: int, tmp_path: Path) -> None:
    content = CONTENT[:size]
    (tmp_path / "f").write_bytes(content)
    entry = FileEntry(sha256=hashlib.sha256(content).hexdigest(), bytes=size)
    ListedFile(str(tmp_path), "f", entry).check()
    wrong = FileEntry(sha256=entry.sha256, bytes=size + 1)
    with pytest.raises(ModelError, match="size or sha256 differs"):
        ListedFile(str(tmp_path), "f", wrong).check()
