"""What the footer of a Parquet file tells of a row group, and where the pages of its leaves are.

Read from the footer's own bytes: pyarrow does not tell where an index is, and ends the process where it is
asked about a column that is encrypted, or told wrongly.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow.parquet as pq

from transforms.formats.parquet_given_file import Extent
from transforms.formats.parquet_prefix import FileEnd
from transforms.formats.thrift import (
    Struct,
    Value,
    list_structs,
    list_values,
    read_int,
    read_struct,
)

# Fields of the footer, of a row group, of a column chunk, and of what a chunk says of itself.
ROW_GROUPS = 4
CHUNKS, GROUP_ROWS = 1, 3
_FILE_PATH, CHUNK_METADATA, _ENCRYPTED = 1, 3, 8
STORED_BYTES, DATA_PAGE, DICTIONARY_PAGE = 7, 9, 11


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
    group = list_structs(footer.pop(ROW_GROUPS))[number]
    chunks = list_values(group[CHUNKS])
    told = {}
    for leaf in leaves:
        chunk = read_struct(chunks[leaf].stored).fields
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
    described = read_struct(chunk[CHUNK_METADATA].stored).fields
    begin = read_int(described[DATA_PAGE])
    dictionary = described.get(DICTIONARY_PAGE)
    # Some writers say that it is where the file begins, and mean that there is none.
    if dictionary is not None and read_int(dictionary) > 0:
        begin = min(begin, read_int(dictionary))
    return Extent(begin, begin + read_int(described[STORED_BYTES]))


def list_repeated(metadata: pq.FileMetaData, leaves: Sequence[int]) -> set[int]:
    """Return the leaves of which a row may have several values."""
    return {leaf for leaf in leaves if metadata.schema.column(leaf).max_repetition_level}
