"""How files are packed: what their names say, and what their first bytes show."""

from dataclasses import dataclass

# What Arrow calls them; xz it does not know.
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
XZ = ".xz"


@dataclass(frozen=True)
class Archive:
    """A way to pack files.

    Attributes:
        name: what it is called.
        start: the bytes that such a file begins with; of bzip2, behind `BZh` and a digit.
        ending: of the names of such files that are unpacked here; None where none are.
    """

    name: str
    start: bytes
    ending: str | None


# Long enough that no header begins so.
_ARCHIVES = (
    Archive("gzip", b"\x1f\x8b\x08", ".gz"),
    Archive("zstandard", b"\x28\xb5\x2f\xfd", ".zst"),
    # Behind a digit, the level.
    Archive("bzip2", b"1AY&SY", ".bz2"),
    Archive("xz", b"\xfd7zXZ\0", XZ),
    Archive("a ZIP archive", b"PK\x03\x04", None),
    # Of nothing, and the first of several volumes.
    Archive("a ZIP archive", b"PK\x05\x06", None),
    Archive("a ZIP archive", b"PK\x07\x08", None),
    Archive("a 7z archive", b"7z\xbc\xaf\x27\x1c", None),
    Archive("a RAR archive", b"Rar!\x1a\x07", None),
    Archive("LZ4", b"\x04\x22\x4d\x18", None),
)


def is_compressed(url: str) -> bool:
    """Tell whether a file's name says that it is, in small letters or capital ones."""
    return url.lower().endswith((*COMPRESSIONS, XZ))


def find_archive(start: bytes) -> Archive | None:
    r"""Return what a file is packed with that begins with these bytes; None for none that is known.

    >>> find_archive(b"PK\x03\x04...").name
    'a ZIP archive'
    """
    behind_level = start[4:] if start.startswith(b"BZh") else start
    for archive in _ARCHIVES:
        if behind_level.startswith(archive.start):
            return archive
    return None
