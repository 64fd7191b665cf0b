"""The file that scores are written through: its digest is of what was written, and not of what a disk gives back."""

import hashlib
from typing import Any, BinaryIO

from storage.stores import plain_errors


class HashingFile:
    """A binary file for writing that digests what passes; enough of a file for pyarrow's writers."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.bytes = 0
        self.closed = False

    @plain_errors()
    def write(self, content: Any) -> int:
        """Write and digest `content`."""
        self._digest.update(content)
        self._file.write(content)
        size = len(memoryview(content).cast("B"))
        self.bytes += size
        return size

    def tell(self) -> int:
        """Bytes written so far."""
        return self.bytes

    def close(self) -> None:
        """Nothing: `open_synced` owns the file."""

    def writable(self) -> bool:
        """Always."""
        return True

    def readable(self) -> bool:
        """Never."""
        return False

    def seekable(self) -> bool:
        """Never."""
        return False

    @property
    def sha256(self) -> str:
        """Digest of everything written, as 64 hexadecimal digits."""
        return self._digest.hexdigest()
