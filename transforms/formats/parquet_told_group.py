"""What the footer of a Parquet file tells of a row group, and where the pages of its leaves are.

Read from the footer's own bytes: pyarrow does not tell where an index is, and ends the process where it is
asked about a column that is encrypted, or told wrongly.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow.parquet as pq

from storage.thrift import (
    Struct,
    Value,
    list_structs,
    list_values,
    read_int,
    read_struct,
)
from transforms.formats.parquet_given_file import Extent
from transforms.formats.parquet_prefix import FileEnd

# A field of the footer.
ROW_GROUPS = 4
# Of a row group.
CHUNKS = 1
GROUP_ROWS = 3
# Of a column chunk.
_FILE_PATH = 1
CHUNK_METADATA = 3
_ENCRYPTED = 8
# Of what a chunk says of itself.
STORED_BYTES = 7
DATA_PAGE = 9
DICTIONARY_PAGE = 11


class ToldGroup(NamedTuple):
    """What a footer tells of a row group.

    Attributes:
        footer: all of it but the row groups.
        chunks: of all leaves, as the footer has them.
        told: of those that were asked for.
        rows: how many.
    """

    footer: Struct
    chunks: Sequence[Value]
    told: Mapping[int, Struct]
    rows: int


def tell_group(end: FileEnd, number: int, leaves: Sequence[int]) -> ToldGroup:
    """Return what a footer tells of a row group.

    Args:
        end: the file, from its footer on.
        number: of the row group.
        leaves: those to tell of.

    Raises:
        IndexError, KeyError, ValueError: it does not, or the leaves are elsewhere or encrypted.
    """
    footer = dict(read_struct(end.footer).fields)
    # By far the most of a footer, and not kept.
    groups = footer.pop(ROW_GROUPS)
    group = list_structs(groups)[number]
    chunks = list_values(group[CHUNKS])
    told = {}
    for leaf in leaves:
        stored = chunks[leaf].stored
        chunk = read_struct(stored).fields
        if _FILE_PATH in chunk or _ENCRYPTED in chunk:
            raise ValueError("is elsewhere, or encrypted")
        told[leaf] = chunk
    rows = read_int(group[GROUP_ROWS])
    return ToldGroup(footer, chunks, told, rows)


def find_chunk(chunk: Struct) -> Extent:
    """Return where the pages of a leaf are, with the dictionary that they may begin with.

    Args:
        chunk: what a footer tells of it.

    Raises:
        IndexError, KeyError, ValueError: it does not.
    """
    stored = chunk[CHUNK_METADATA].stored
    described = read_struct(stored).fields
    begin = read_int(described[DATA_PAGE])
    stored_bytes = read_int(described[STORED_BYTES])
    if DICTIONARY_PAGE in described:
        dictionary = read_int(described[DICTIONARY_PAGE])
        # Some writers say that it is where the file begins, and mean that there is none.
        if dictionary > 0:
            begin = min(begin, dictionary)
    return Extent(begin, begin + stored_bytes)


def list_repeated(metadata: pq.FileMetaData, leaves: Sequence[int]) -> set[int]:
    """Return the leaves of which a row may have several values."""
    return {leaf for leaf in leaves if metadata.schema.column(leaf).max_repetition_level}
