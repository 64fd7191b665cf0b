"""Puffin files of an Iceberg table: which deletion vectors they hold, told by their footers.

https://iceberg.apache.org/puffin-spec

    PFA1 | blobs | PFA1 | footer, JSON | its size, 4 bytes | flags, 4 bytes | PFA1
"""

from collections.abc import Mapping, Sequence
import io
import json
from typing import Any

from configs.errors import InputError
from storage import files
from transforms.lakes.counts import read_count
from transforms.lakes.deleted_rows import PUFFIN_VECTOR
from transforms.lakes.snapshot import Deletions

_MAGIC = b"PFA1"
_END_BYTES = 12
_SIZE_BYTES = 4
_FLAGS = slice(4, 8)
_REFERENCED = "referenced-data-file"
_VECTOR = "deletion-vector-v1"
# Of a hundred thousand vectors it has some 30 MB.
_MOST_FOOTER_BYTES = 64 << 20
_HINT = "restore it, or choose another snapshot"


class PuffinVectors:
    """Deletion vectors by their files; each footer is read once, for all data files that it is of."""

    def __init__(self) -> None:
        self._known: dict[str, Mapping[str, Sequence[Deletions]]] = {}

    def find(self, url: str, path: str) -> Sequence[Deletions]:
        """Return the vectors of one data file in a Puffin file.

        Args:
            url: the Puffin file.
            path: the data file, as the table has it.

        Raises:
            InputError: the Puffin file is gone, or is none.
        """
        if url not in self._known:
            self._known[url] = _list_vectors(url)
        return self._known[url].get(path, ())


def _list_vectors(url: str) -> Mapping[str, Sequence[Deletions]]:
    try:
        blobs = _read_footer(url)["blobs"]
        found: dict[str, list[Deletions]] = {}
        for blob in blobs:
            if blob["type"] != _VECTOR:
                continue
            vector = _make_vector(url, blob)
            path = str(blob["properties"][_REFERENCED])
            of_file = found.setdefault(path, [])
            of_file.append(vector)
    except OSError as error:
        raise InputError(
            f"{url}: a file of deletion vectors that cannot be read: {error.strerror or error}; {_HINT}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{url}: a file of deletion vectors whose footer is not readable; {_HINT}"
        ) from error
    return found


def _read_footer(url: str) -> Any:
    with files.open_read(url, ahead=False) as source:
        end = source.seek(0, io.SEEK_END)
        behind = max(0, end - _END_BYTES)
        source.seek(behind)
        tail = source.read(_END_BYTES)
        size_bytes = int.from_bytes(tail[:_SIZE_BYTES], "little")
        start = behind - size_bytes
        # A stranger says how large it is, and whether it is packed, which no writer does.
        is_packed = any(tail[_FLAGS])
        is_there = tail.endswith(_MAGIC) and start >= 0
        if not is_there or is_packed or size_bytes > _MOST_FOOTER_BYTES:
            raise ValueError("no footer")
        source.seek(start)
        footer = source.read(size_bytes)
    return json.loads(footer)


def _make_vector(url: str, blob: Mapping[str, Any]) -> Deletions:
    offset, length = blob["offset"], blob["length"]
    # A vector is never packed.
    if blob.get("compression-codec") is not None:
        raise ValueError("no vector")
    return Deletions(
        PUFFIN_VECTOR,
        url=url,
        offset=read_count(offset),
        bytes=read_count(length),
        rows=_read_cardinality(blob["properties"]),
    )


def _read_cardinality(properties: Mapping[str, Any]) -> int | None:
    told = properties.get("cardinality")
    if told is None:
        return None
    # Properties are texts.
    if isinstance(told, str):
        told = int(told)
    return read_count(told)
