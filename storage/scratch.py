"""Bytes that are put aside on this machine for a while, in a file without a name.

It goes with the process, however that ends, so nothing is left to clean up and nobody else can open it.
"""

import tempfile
from typing import IO, NamedTuple


class Span(NamedTuple):
    """Where some bytes are.

    Attributes:
        start: number of the first one.
        bytes: how many.
    """

    start: int
    bytes: int


class ScratchFile:
    """A file in the folder of temporary files (`TMPDIR`), made once there is something to put into it."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._bytes = 0

    def append(self, content: bytes) -> Span:
        """Put some bytes behind the others, and tell where they are.

        Raises:
            OSError: there is no room for them.
        """
        if self._file is None:
            # Without a buffer, which would tell of a full disk later.
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`
        span = Span(self._bytes, len(content))
        self._file.seek(span.start)
        rest = memoryview(content)
        # One call writes 2 GiB at most, and less where a disk is nearly full.
        while rest:
            written = self._file.write(rest)
            rest = rest[written:]
        self._bytes += span.bytes
        return span

    def read(self, span: Span) -> bytes:
        """Return the bytes of a span.

        Raises:
            OSError: they cannot be read, or are not all there.
        """
        if self._file is None:
            raise OSError("nothing was put aside")
        self._file.seek(span.start)
        content = bytearray()
        while len(content) < span.bytes:
            more = self._file.read(span.bytes - len(content))
            if not more:
                raise OSError("a temporary file became shorter")
            content += more
        return bytes(content)

    def close(self) -> None:
        """Let go of it all."""
        if self._file is not None:
            self._file.close()
        self._file = None
        self._bytes = 0
