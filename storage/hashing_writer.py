"""The file that scores are written through.

Its digest is of what was written, and not of what a disk gives back.
"""

import hashlib
from typing import Any, BinaryIO

from storage.client_errors import plain_errors


class HashingFile:
    """A file for writing that digests what passes; enough of a file for pyarrow's writers."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.bytes = 0
        # pyarrow asks before every write, and refuses a closed file.
        self.closed = False

    @plain_errors()
    def write(self, content: Any) -> int:
        """Write and digest `content`, and return its size in bytes."""
        self._digest.update(content)
        self._file.write(content)
        # pyarrow hands over buffers, whose length need not be counted in bytes.
        size = len(memoryview(content).cast("B"))
        self.bytes += size
        return size

    def tell(self) -> int:
        """Return how many bytes were written so far."""
        return self.bytes

    def close(self) -> None:
        """Do nothing: `open_synced` owns the file."""

    def writable(self) -> bool:
        """Say yes."""
        return True

    def readable(self) -> bool:
        """Say no."""
        return False

    def seekable(self) -> bool:
        """Say no."""
        return False

    @property
    def sha256(self) -> str:
        """Return the digest of everything written, as 64 hexadecimal digits."""
        return self._digest.hexdigest()
