"""What the name and the first bytes of a file say about how it is packed."""

import bz2
import gzip
import io
import lzma
import zipfile

import pyarrow as pa
import pytest

from transforms.formats.csv_archives import find_archive, is_compressed


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


ROWS = b"id,x\n" + b"1,2\n" * 500


def zip_rows() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("rows.csv", ROWS)
    return packed.getvalue()


def zip_nothing() -> bytes:
    packed = io.BytesIO()
    zipfile.ZipFile(packed, "w").close()
    return packed.getvalue()


def to_bytes(codec: str) -> bytes:
    return bytes(pa.Codec(codec).compress(ROWS, asbytes=True))


# As the libraries themselves write them.
PACKED = [
    (gzip.compress(ROWS, mtime=0), "gzip", ".gz"),
    (to_bytes("zstd"), "zstandard", ".zst"),
    *((bz2.compress(ROWS, level), "bzip2", ".bz2") for level in range(1, 10)),
    (lzma.compress(ROWS), "xz", ".xz"),
    (zip_rows(), "a ZIP archive", None),
    (zip_nothing(), "a ZIP archive", None),
    (b"PK\x07\x08PK\x03\x04", "a ZIP archive", None),
    (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive", None),
    (b"Rar!\x1a\x07\x01\0", "a RAR archive", None),
    (to_bytes("lz4"), "LZ4", None),
]
# Not of the bytes: some packers write the time into them, and each worker collects tests for itself.
NAMES = [f"{name} {number}" for number, (_, name, _) in enumerate(PACKED)]


@pytest.mark.parametrize(("content", "name", "ending"), PACKED, ids=NAMES)
def test_the_first_bytes_tell_how_a_file_is_packed(
    content: bytes, name: str, ending: str | None
) -> None:
    found = find_archive(content)
    assert found is not None
    assert (found.name, found.ending) == (name, ending)
    # Cut anywhere behind its first bytes, it is still one, and no text is.
    assert find_archive(content[:10]) == found


@pytest.mark.parametrize(
    "start", [b"", ROWS, b"BZh", b"BZh,BZ", b"1AX&SY", b"PK,x\n", b"\x1f\x8b", b"Rar!,7z\n"]
)
def test_a_header_of_columns_is_no_archive(start: bytes) -> None:
    assert find_archive(start) is None
