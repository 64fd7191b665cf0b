"""What the name and the first bytes of a file say about how it is packed."""

import pytest

from transforms.formats.csv_archives import is_compressed


@pytest.mark.parametrize(
    ("name", "compressed"),
    [
        ("a.csv", False),
        ("a.gz", True),
        ("a.csv.zst", True),
        ("a.gz.csv", False),
        ("A.CSV.GZ", True),
        ("a.csv.bz2", True),
        ("a.csv.XZ", True),
        ("a.zip", False),
    ],
)
def test_a_name_says_whether_a_file_is_compressed(name: str, compressed: bool) -> None:
    assert is_compressed(name) is compressed
