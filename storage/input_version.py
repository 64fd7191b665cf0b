"""What the version of an input file says: a text that changes when the file does, and that runs remember.

size=12,mtime_ns=2,ino=4                  a local file
files=0123456789abcdef...                 a folder of files that is read as one table
size=12,mtime_ns=2,read_as=0123456789     a file, and what a table's log says of its rows
"""

# What the version of a folder of files begins with.
_FILES_VERSION = "files="
# 128 bits: no two folders have the same ones.
_DIGEST_DIGITS = 32
_SIZE = "size"
# What the version of a file ends with that a table's log says how to read.
_READING = ",read_as="


def make_folder_version(digest: str) -> str:
    """Return the version of a folder's files.

    Args:
        digest: of their names and versions, in hexadecimal digits.
    """
    digits = digest[:_DIGEST_DIGITS]
    return f"{_FILES_VERSION}{digits}"


def is_folder_version(version: str) -> bool:
    """Tell whether a version is that of a folder's files, each of which has one of its own.

    >>> is_folder_version("files=0123456789abcdef"), is_folder_version("size=1,mtime_ns=2")
    (True, False)
    """
    return version.startswith(_FILES_VERSION)


def find_size(version: str) -> int | None:
    """Return the size that a file's version tells; None where it tells none.

    >>> find_size("size=12,mtime_ns=2"), find_size("files=0123456789abcdef"), find_size("v")
    (12, None, None)
    """
    first, _, _ = version.partition(",")
    name, _, number = first.partition("=")
    if name != _SIZE or not number.isdecimal():
        return None
    return int(number)


def with_reading(version: str, digest: str) -> str:
    """Return the version of a file and of what else decides its rows.

    Args:
        version: the file's own.
        digest: of what a table's log says of it.
    """
    return f"{version}{_READING}{digest}"


def without_reading(version: str) -> str:
    """Return a file's own version.

    >>> without_reading("size=1,mtime_ns=2,read_as=0123456789abcdef")
    'size=1,mtime_ns=2'
    """
    own, _, _ = version.partition(_READING)
    return own


def is_version_of(current: str, recorded: str) -> bool:
    """Tell whether a file is what it was, as far as it was recorded.

    Older versions of this program recorded less of a local file.

    Args:
        current: its version now.
        recorded: its version then.

    >>> is_version_of("size=1,mtime_ns=2,ctime_ns=3,ino=4", "size=1,mtime_ns=2,ino=4")
    True
    >>> is_version_of("size=1,mtime_ns=2,ctime_ns=3,ino=4", "size=1,mtime_ns=2,ctime_ns=2,ino=4")
    False
    """
    own = without_reading(recorded)
    recorded_parts = set(own.split(","))
    parts_now = set(current.split(","))
    return recorded_parts <= parts_now
