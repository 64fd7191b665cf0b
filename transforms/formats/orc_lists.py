"""Stripes of ORC with lists or maps, decoded in a process of their own.

Nobody looks at the lengths of lists before Arrow follows them, ORC has no checksums, and a flipped byte among
them may end the process. So it is not the worker that decodes them, and what is lost with the process is
one line. A process is kept for the next stripe, one for each thread that reads.

    worker  --  a stripe, and the file's end -->  child (`orc_child`): decodes it
            <--  rows, as Arrow IPC          --
"""

from collections.abc import Iterator, Sequence
import io
import json
import queue
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import RecordBatch, Schema
from pyarrow.types import is_list, is_map

from configs.errors import InputError, ModelError, WorkerError
from model_zoo.engines.child.process import ChildError, ChildProcess, start_child
from storage import files
from transforms.formats.orc_footer import list_stripe_places, read_footer
from transforms.logical_types import holds

_CHILD = "transforms.formats.orc_child"
# It is sent as a whole; writers make stripes of 64 to 256 MiB.
_MOST_STRIPE_BYTES = 1 << 30
# Of its rows: what a child may take, all in all.
_MOST_ROWS_BYTES = 4 << 30
# No stripe takes as long; an endless loop does.
_MOST_SECONDS = 600.0
# Children that are decoding nothing at the moment.
_idle: queue.LifoQueue[ChildProcess] = queue.LifoQueue()


def has_lists(schema: Schema, names: Sequence[str]) -> bool:
    """Tell whether some columns have lists or maps, in whatever depth.

    Args:
        schema: of a file.
        names: of the columns.
    """
    wanted = frozenset(names)
    types = [field.type for field in schema if field.name in wanted]
    return any(holds(dtype, check) for dtype in types for check in (is_list, is_map))


def read_stripes(
    url: str,
    stored: Any,
    numbers: range,
    names: Sequence[str],
) -> Iterator[RecordBatch]:
    """Yield stripes, decoded in a process of their own.

    Args:
        url: the file.
        stored: the same, as pyarrow has opened it.
        numbers: of the stripes.
        names: of the columns.

    Raises:
        InputError: one cannot be decoded.
        WorkerError: the process cannot be started, or was ended from outside.
    """
    with files.open_read(url) as file:
        places = list_stripe_places(read_footer(file, stored))
        file_bytes = file.seek(0, io.SEEK_END)
        end_start = _find_end(stored, file_bytes)
        end = _read(file, range(end_start, file_bytes))
        for number in numbers:
            place = places[number]
            if len(place) > _MOST_STRIPE_BYTES:
                raise InputError(
                    f"{url}: stripe {number} takes {len(place):,} bytes, and one with lists or maps is "
                    f"read up to {_MOST_STRIPE_BYTES >> 30} GiB; write it with stripes of 64 MiB"
                )
            asked = {
                "stripe_start": place.start,
                "end_start": end_start,
                "file_bytes": file_bytes,
                "number": number,
                "names": list(names),
            }
            inputs = {
                "stripe": _read(file, place),
                "end": end,
                "asked": np.frombuffer(json.dumps(asked).encode(), np.uint8),
            }
            yield _decode(url, number, inputs)


def _find_end(stored: Any, file_bytes: int) -> int:
    """Return where what stands behind the stripes begins: metadata, footer and postscript."""
    end_bytes = stored.stripe_statistics_length + stored.file_footer_length
    end_bytes += stored.file_postscript_length + 1
    return max(0, file_bytes - int(end_bytes))


def _read(file: Any, place: range) -> np.ndarray:
    """Return the bytes of a place, fewer where the file ends before."""
    file.seek(place.start)
    return np.frombuffer(file.read(len(place)), np.uint8)


def _decode(url: str, number: int, inputs: dict[str, np.ndarray]) -> RecordBatch:
    child = _take_child(url)
    try:
        outputs = child(inputs, _MOST_ROWS_BYTES, _MOST_SECONDS)
    except ChildError as error:
        _idle.put(child)
        raise InputError(f"{url}: cannot be read as ORC: {error}; replace the file") from error
    except MemoryError as error:
        _idle.put(child)
        raise InputError(
            f"{url}: stripe {number} takes more than {_MOST_ROWS_BYTES >> 30} GiB of memory; write it with "
            "stripes of 64 MiB"
        ) from error
    except ModelError as error:
        raise InputError(
            f"{url}: stripe {number} cannot be read: {_explain(child, error)}; its lists are broken, or "
            "made to break what reads them; replace the file"
        ) from error
    # Which file it has begun with, is all that it says itself.
    except WorkerError as error:
        raise WorkerError(
            f"{url}: the process that decodes its lists was ended {child.how_ended} from outside, by "
            "somebody or by the system where memory is short; run again to resume, with fewer workers "
            "or more memory"
        ) from error
    _idle.put(child)
    with pa.ipc.open_stream(pa.py_buffer(outputs["rows"])) as reader:
        return reader.read_next_batch()


def _take_child(url: str) -> ChildProcess:
    """Return a child that decodes nothing, a new one where there is none."""
    while True:
        try:
            child = _idle.get_nowait()
        except queue.Empty:
            break
        # The system may have ended one where memory was short, and it tells of no file.
        if child.how_ended is None:
            return child
    try:
        return start_child(_CHILD, b"", {}, threads=1, what=url)
    except (ModelError, OSError) as error:
        raise WorkerError(
            f"{url}: the process that decodes lists of ORC cannot be started: {error}; run again to "
            "resume, with fewer workers or more memory"
        ) from error


def _explain(child: ChildProcess, error: ModelError) -> str:
    if isinstance(error.__cause__, TimeoutError):
        return f"to decode it takes longer than {_MOST_SECONDS:g} s"
    return f"the process that decoded it was ended {child.how_ended}"
