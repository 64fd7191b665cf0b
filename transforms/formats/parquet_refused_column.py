"""Which column of a Parquet file has a type that Arrow refuses, and with it the whole file: Arrow does not tell.

So each is shown to Arrow by itself, in a footer of a file without rows:

    all columns    table | a | b | b.list | b.list.element | c
    of b alone     table | b | b.list | b.list.element
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyarrow.parquet import ParquetFile

from configs.errors import InputError
from storage.thrift import (
    BROKEN,
    I32,
    STRUCT,
    Struct,
    list_structs,
    read_bytes,
    read_int,
    read_struct,
)
from transforms.formats.read_failures import explain_failure
from transforms.formats.thrift_writing import make_int, make_list, write_struct

# Fields of a footer.
_VERSION = 1
_ELEMENTS = 2
_ROWS = 3
_GROUPS = 4
# Of an element of its columns.
_NAME = 4
_CHILDREN = 5
_MAGIC = b"PAR1"
_LENGTH_BYTES = 4


def explain_refused_column(url: str, footer: bytes) -> InputError | None:
    """Return the refusal of a file by its first column that Arrow refuses by itself; None where it is none of them.

    Args:
        url: the file.
        footer: without the length behind it, and perhaps no footer at all.
    """
    try:
        fields = read_struct(footer).fields
        table, *elements = list_structs(fields[_ELEMENTS])
        for column in _cut_columns(elements):
            error = _try(fields, table, column)
            if error is not None:
                name = read_bytes(column[0][_NAME]).decode(errors="replace")
                reason = explain_failure(error, url)
                return InputError(
                    f"{url}: column {name!r} cannot be read: {reason}; "
                    "write the file without it, or in another type"
                )
    except BROKEN:
        return None
    return None


def _cut_columns(elements: Sequence[Struct]) -> Iterator[Sequence[Struct]]:
    """Yield the elements of each column: what is inside of one follows it."""
    first = 0
    while first < len(elements):
        stop = first
        left = 1
        while left:
            element = elements[stop]
            if _CHILDREN in element:
                left += read_int(element[_CHILDREN])
            left -= 1
            stop += 1
        yield elements[first:stop]
        first = stop


def _try(footer: Struct, table: Struct, column: Sequence[Struct]) -> Exception | None:
    """Return what Arrow says of a column; None where it takes it."""
    above = {**table, _CHILDREN: make_int(1, I32)}
    elements = [write_struct(element) for element in (above, *column)]
    alone = {
        _VERSION: footer[_VERSION],
        _ELEMENTS: make_list(STRUCT, elements),
        _ROWS: make_int(0),
        _GROUPS: make_list(STRUCT, []),
    }
    stored = write_struct(alone)
    length = len(stored).to_bytes(_LENGTH_BYTES, "little")
    source = pa.BufferReader(_MAGIC + stored + length + _MAGIC)
    try:
        ParquetFile(source).close()
    except (OSError, pa.ArrowException) as error:
        return error
    return None
