"""What a listing says of the files in a folder, by whatever names a store's client says it."""

from datetime import UTC, datetime
import os
from pathlib import Path
from typing import Any

import pytest

from storage.folder_entries import Entry, _find_seconds, list_entries

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_files_are_told_with_size_and_time_and_folders_are_not(tmp_path: Path) -> None:
    for name, content in {"b": b"12345", "a": b""}.items():
        path = tmp_path / name
        path.write_bytes(content)
        os.utime(path, (7.5, 7.5))
    (tmp_path / "folder").mkdir()
    assert list_entries(str(tmp_path)) == [Entry("a", 0, 7.5), Entry("b", 5, 7.5)]


@pytest.mark.parametrize("name", ["nothing", "file", "file/below"])
def test_what_is_no_folder_of_files_has_no_others(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    found = list_entries(f"{tmp_path}/{name}")
    assert [entry.name for entry in found] == (["file"] if name == "file" else [])


@pytest.mark.parametrize(
    ("info", "seconds"),
    [
        ({"mtime": 5.5, "created": 9}, 5.5),
        ({"created": 9}, 9.0),
        ({"LastModified": NOON}, NOON.timestamp()),
        ({"mtime": None, "last_modified": NOON}, NOON.timestamp()),
        # A text says what it would as a number to its own client alone.
        ({"updated": "2026-01-02T12:00:00Z", "created": NOON}, NOON.timestamp()),
        ({"mtime": 0}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_time_is_the_best_that_is_told(info: dict[str, Any], seconds: float) -> None:
    assert _find_seconds(info) == seconds
