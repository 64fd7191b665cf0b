"""The part of an ORC file that Arrow may not survive, in a process of its own: a stripe with lists or maps.

The file itself is not here. What came of it is one stripe and the end that describes all of them, which
`orc_lists` has read:

    ORC | nothing | the stripe | nothing | metadata, footer, postscript
"""

from collections.abc import Mapping
import io
import json
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import RecordBatch
import pyarrow.orc as paorc

from model_zoo.engines.child.messages import Arrays, MakeCall

# What the oldest files say that they are at their begin, and not at their end.
_MAGIC = b"ORC"


class _Part(NamedTuple):
    """Some bytes of a file.

    Attributes:
        start: place of the first one.
    """

    start: int
    content: bytes


def load(content: bytes, card: Mapping[str, Any]) -> MakeCall:
    """Return what makes a call for each thread: it decodes a stripe.

    Args:
        content: none, as each call brings its own.
        card: likewise.
    """
    return lambda: decode


def decode(inputs: Arrays) -> Arrays:
    """Return the rows of a stripe, as `rows`: an Arrow IPC stream, in bytes.

    Args:
        inputs: `stripe` and `end`, in bytes, and `asked`: JSON of where they begin, how large the file is,
            which stripe it is and which columns are wanted.

    Raises:
        MemoryError, ValueError: it cannot be decoded; the message is the kind of the error alone, as
            Arrow's words may quote what stands in the file.
    """
    asked = json.loads(inputs["asked"].tobytes())
    stripe = _Part(asked["stripe_start"], inputs["stripe"].tobytes())
    end = _Part(asked["end_start"], inputs["end"].tobytes())
    file = _PartsOfFile(asked["file_bytes"], (stripe, end, _Part(0, _MAGIC)))
    names = asked["names"]
    try:
        stored = paorc.ORCFile(pa.PythonFile(file, mode="r"))
        rows = stored.read_stripe(asked["number"], columns=names)
        chosen = rows.select(names)
        return {"rows": _dump(chosen)}
    except MemoryError as error:
        raise MemoryError(type(error).__name__) from error
    # Whatever else it is, it is of this file.
    except Exception as error:
        raise ValueError(type(error).__name__) from error


def _dump(rows: RecordBatch) -> np.ndarray:
    """Return rows as an Arrow IPC stream, in bytes."""
    # Measured first, so that they are in memory twice and not three times.
    counted = pa.MockOutputStream()
    _write(counted, rows)
    content = np.empty(counted.size(), np.uint8)
    _write(pa.FixedSizeBufferWriter(pa.py_buffer(content)), rows)
    return content


def _write(sink: Any, rows: RecordBatch) -> None:
    options = pa.ipc.IpcWriteOptions(use_threads=False)
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write_batch(rows)


class _PartsOfFile:
    """A file of which some parts are here, and all else is nought; enough of a file for pyarrow."""

    # pyarrow asks before every read.
    closed = False

    def __init__(self, file_bytes: int, parts: tuple[_Part, ...]) -> None:
        self._file_bytes = file_bytes
        self._parts = parts
        self._place = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        before = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._file_bytes}
        self._place = before[whence] + offset
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer at the end."""
        start = self._place
        left = max(0, self._file_bytes - start)
        count = left if size < 0 else min(size, left)
        self._place += count
        return self._find(start, count)

    def _find(self, start: int, count: int) -> bytes:
        stop = start + count
        for part in self._parts:
            # Nearly always all of it stands in one.
            if part.start <= start and stop <= part.start + len(part.content):
                first = start - part.start
                return part.content[first : first + count]
        found = bytearray(count)
        for part in self._parts:
            first = max(start, part.start)
            behind = min(stop, part.start + len(part.content))
            if first < behind:
                found[first - start : behind - start] = part.content[
                    first - part.start : behind - part.start
                ]
        return bytes(found)
