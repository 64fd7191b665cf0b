"""The list of files: what `pipelines.verify --inputs` looks at again is each file that there was, once."""

import numpy as np
import pytest

from storage.rooted_file import RootedFile
from transforms.formats.file_list import FileListWriter, Listed, count_files

A, B, C = (RootedFile(name, size, f"v{size}") for name, size in (("a", 1), ("b", 2), ("c", 3)))
GONE = Listed(None, "gone")
# It was seen, and cannot be read.
TOO_LARGE = Listed(B, "is larger than may be")
UNNAMED = Listed(None)


def write(*entries: list[Listed]) -> FileListWriter:
    """Write a row group of each list, each of a root of its own."""
    writer = FileListWriter()
    for number, listed in enumerate(entries):
        writer.add(number, "content", f"/root{number}", np.arange(len(listed)), listed)
    return writer


@pytest.mark.parametrize(
    ("listed", "files"),
    [
        ([Listed(A), Listed(C)], [A, C]),
        # Several rows may name one.
        ([Listed(A), Listed(C), Listed(A)], [A, C]),
        ([GONE, Listed(A), UNNAMED], [A]),
        ([TOO_LARGE, Listed(C)], [C]),
        ([GONE, TOO_LARGE, UNNAMED], []),
    ],
)
def test_files_are_those_that_could_be_read(listed: list[Listed], files: list[RootedFile]) -> None:
    written = write(listed)
    listing = written.close()
    assert list(listing.iterate_files()) == [("/root0", files)]
    rows = sum(entry.file is not None and entry.problem is None for entry in listed)
    assert count_files(listing.content) == rows


def test_each_root_has_its_own_files() -> None:
    listing = write([Listed(A)], [Listed(A), Listed(B)]).close()
    assert list(listing.iterate_files()) == [("/root0", [A]), ("/root1", [A, B])]


def test_what_the_files_of_all_rows_take_is_added_up() -> None:
    writer = write([Listed(A), Listed(C), GONE], [Listed(C), UNNAMED])
    assert (writer.files, writer.size_bytes) == (3, 7)
    writer.close()


def test_a_list_of_nothing_has_no_files() -> None:
    listing = FileListWriter().close()
    assert list(listing.iterate_files()) == []
    assert count_files(listing.content) == 0


def test_a_unit_reads_its_own_rows_of_its_own_column() -> None:
    listing = write([Listed(A)], [Listed(B), Listed(C)]).close()
    for unit, rows in ((0, 1), (1, 2), (2, 0)):
        assert sum(table.num_rows for table in listing.iterate(unit, "content")) == rows
        assert list(listing.iterate(unit, "other")) == []
