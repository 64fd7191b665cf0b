"""What a version of an input file says."""

import pytest

from storage.input_version import find_size, is_version_of, with_reading, without_reading


@pytest.mark.parametrize(
    ("version", "size"),
    [
        ("size=0,etag=x", 0),
        ("size=12", 12),
        ("size=,etag=x", None),
        ("size=-1", None),
        ("bytes=12", None),
        ("", None),
    ],
)
def test_the_size_is_what_a_version_begins_with(version: str, size: int | None) -> None:
    assert find_size(version) == size


def test_how_a_file_is_read_is_no_part_of_what_it_is() -> None:
    read = with_reading("size=1,etag=x", "0123")
    assert read != "size=1,etag=x"
    assert without_reading(read) == "size=1,etag=x"
    assert is_version_of("size=1,etag=x", read)
    assert not is_version_of("size=2,etag=x", read)
