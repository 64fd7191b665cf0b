"""Whether pyarrow can be asked about the statistics in a Parquet footer, as our own reader finds them there.

Of ends of a range that are shorter than a value, and of a chunk of another type than its column's, its C++
raises what nobody catches, and the process ends.

    footer -> row groups -> column chunks -> what a chunk says of itself -> statistics
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import pyarrow.parquet as pq

from storage.parquet_chunks import check_chunks
from storage.thrift import (
    BROKEN,
    INTEGERS,
    LIST,
    STRUCT,
    check_field,
    find_end,
    read_bytes,
    read_head_of_list,
    read_int,
    read_number,
    read_struct,
    unfold,
)
from transforms.formats.parquet_alike import is_like_checked, remember_checked

# Fields that lead from a footer to what a chunk says of itself, and fields of that.
_PATH = (4, 1, 3)
_TYPE = 1
_STATISTICS = 12
# Fields of statistics: ends of a range, as they were told at first and as they are told today.
_ENDS = (1, 2, 5, 6)
# Types in the order of their numbers, and bytes of a value as it is stored; others say how long theirs are.
_TYPES = dict(
    enumerate(
        (
            "BOOLEAN",
            "INT32",
            "INT64",
            "INT96",
            "FLOAT",
            "DOUBLE",
            "BYTE_ARRAY",
            "FIXED_LEN_BYTE_ARRAY",
        )
    )
)
_VALUE_BYTES = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8}
_TEXTS = "BYTE_ARRAY"
# The highest byte that a number ends with.
_LAST_BYTE = 0x7F
# By row group, by leaf, as they are stored; nothing where a footer has none.
_Stored: TypeAlias = Sequence[Sequence[bytes]]


def are_sound(
    footer: bytes,
    metadata: pq.FileMetaData,
    groups: Sequence[int],
    leaves: Iterable[int],
) -> bool:
    """Tell whether pyarrow can be asked about the statistics of some column chunks.

    Args:
        footer: without the length behind it.
        metadata: the same, as Arrow has read it.
        groups: numbers of row groups.
        leaves: numbers of the leaves that will be asked about.

    Raises:
        OSError, ArrowException: it cannot even be asked about the chunks.
    """
    asked = tuple(leaves)
    # Files are many and mostly alike.
    if is_like_checked(footer, asked):
        return True
    check_chunks(metadata, groups, asked)
    try:
        # Once: to find them again compares the footer.
        chunks = _list_chunks(footer)
        for leaf in asked:
            column = metadata.schema.column(leaf)
            if not all(_can_be_asked(chunks[number][leaf], column) for number in groups):
                return False
    except BROKEN:
        return False
    if len(groups) == metadata.num_row_groups:
        remember_checked(footer, asked)
    return True


def _can_be_asked(stored: bytes, column: pq.ColumnSchema) -> bool:
    """Tell whether pyarrow can be asked about the statistics of a column chunk.

    Args:
        stored: what the chunk says of itself.
        column: the leaf in the file's schema.

    Raises:
        IndexError, KeyError, ValueError: it cannot be read.
    """
    physical_type = column.physical_type
    value_bytes = _VALUE_BYTES.get(physical_type, column.length)
    what = (physical_type, value_bytes)
    # Chunks of a wide table are alike, too.
    if is_like_checked(stored, what):
        return True
    is_sound = _is_sound(stored, physical_type, value_bytes)
    if is_sound:
        remember_checked(stored, what)
    return is_sound


def _is_sound(stored: bytes, physical_type: str, value_bytes: int) -> bool:
    """Tell whether a chunk has the type of its column, and ends of its range that are as long as a value.

    Args:
        stored: what the chunk says of itself.
        physical_type: of the column.
        value_bytes: of a value.

    Raises:
        IndexError, KeyError, ValueError: it cannot be read.
    """
    chunk = read_struct(stored).fields
    if _TYPES[read_int(chunk[_TYPE])] != physical_type:
        return False
    # Of texts all lengths are good.
    if physical_type == _TEXTS or _STATISTICS not in chunk:
        return True
    told = read_struct(chunk[_STATISTICS].stored).fields
    ends = [read_bytes(told[field]) for field in _ENDS if field in told]
    return all(len(end) == value_bytes for end in ends)


# Of a large file each unit asks.
@lru_cache(maxsize=2)
def _list_chunks(footer: bytes) -> _Stored:
    """Return what all column chunks say of themselves, as it is stored.

    Args:
        footer: without the length behind it.

    Raises:
        IndexError, ValueError: it is no footer.
    """
    found, _ = _read_at(footer, 0, STRUCT, _PATH)
    groups: _Stored = found
    return groups


def _read_at(
    content: bytes,
    place: int,
    kind: int,
    path: Sequence[int],
) -> tuple[Any, int]:
    """Return what stands at a path of fields, as it is stored, and the place behind all of it.

    Of a list of structs that is what stands there in each.

    Args:
        content: bytes, of which some are a value.
        place: of its first one.
        kind: its type.
        path: the fields that lead to what is wanted.

    Raises:
        IndexError, ValueError: there is no such value.
    """
    if not path:
        end = find_end(content, place, kind)
        return content[place:end], end
    if kind == STRUCT:
        return _read_in_struct(content, place, path)
    if kind != LIST:
        raise ValueError(f"type {kind} has no fields")
    count, kind, place = read_head_of_list(content, place)
    if kind != STRUCT:
        raise ValueError(f"items of type {kind} have no fields")
    items = []
    for _ in range(count):
        item, place = _read_in_struct(content, place, path)
        items.append(item)
    return items, place


def _read_in_struct(
    content: bytes,
    place: int,
    path: Sequence[int],
) -> tuple[Any, int]:
    """Return what stands at a path of fields in a struct, and the place behind that; see `_read_at`."""
    wanted, *rest = path
    found: Any = b""
    number = 0
    while content[place]:
        distance, kind = divmod(content[place], 16)
        place += 1
        number += distance
        if not distance:
            check_field(number)
            folded, place = read_number(content, place)
            number = unfold(folded)
            check_field(number)
        if number == wanted:
            # What others read of it would be a mixture of both.
            if found:
                raise ValueError("has a field twice")
            found, place = _read_at(content, place, kind, rest)
        elif kind in INTEGERS:
            # As `find_end` does it, which would take as long again to call.
            while content[place] > _LAST_BYTE:
                place += 1
            place += 1
        else:
            place = find_end(content, place, kind)
    check_field(number)
    return found, place + 1
