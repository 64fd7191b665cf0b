"""Parquet files whose footers tell a column chunk wrongly, for tests."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from storage.thrift import (
    BINARY,
    I32,
    LIST,
    STRUCT,
    Value,
    list_structs,
    list_values,
    read_struct,
)
from transforms.formats.thrift_writing import make_int, make_list, write_struct

Fields = dict[int, Value]
ROWS = 100
# Fields of a footer, of a row group, of a chunk and of what it says of itself.
_COLUMNS, _GROUPS, _CHUNKS, _METADATA = 2, 4, 1, 3
# Of a footer and of a row group.
_ROWS = 3
_TYPE, _STATISTICS, _SIZES = 1, 12, 16
_TEXTS_BYTES, _LEVELS = 1, 3


def write_numbers(path: Path, group_rows: int = ROWS) -> Path:
    """Write columns of numbers and of texts, with a value missing in each."""
    numbers = [None, *range(1, ROWS)]
    texts = [None if number is None else f"text {number}" for number in numbers]
    table = pa.table({"id": range(ROWS), "x": numbers, "s": texts})
    pq.write_table(table, path, row_group_size=group_rows)
    return path


def change_chunk(
    path: Path, change: Callable[[Fields], None], group: int = 0, column: int = 1
) -> Path:
    """Change what the footer says of a column in a row group."""
    footer = _read(path)
    groups = [dict(fields) for fields in list_structs(footer[_GROUPS])]
    chunks = [value.stored for value in list_values(groups[group][_CHUNKS])]
    chunk = dict(read_struct(chunks[column]).fields)
    metadata = dict(read_struct(chunk[_METADATA].stored).fields)
    change(metadata)
    chunk[_METADATA] = Value(STRUCT, write_struct(metadata))
    chunks[column] = write_struct(chunk)
    groups[group][_CHUNKS] = make_list(STRUCT, chunks)
    footer[_GROUPS] = make_list(STRUCT, [write_struct(fields) for fields in groups])
    return _write(path, footer)


def change_rows(path: Path, rows: int, told_in_group: bool) -> Path:
    """Change how many rows a footer tells of in the first row group, or in the file."""
    footer = _read(path)
    if told_in_group:
        groups = [dict(fields) for fields in list_structs(footer[_GROUPS])]
        groups[0][_ROWS] = make_int(rows)
        footer[_GROUPS] = make_list(STRUCT, [write_struct(fields) for fields in groups])
    else:
        footer[_ROWS] = make_int(rows)
    return _write(path, footer)


def change_columns(path: Path, change: Callable[[Fields], None]) -> Path:
    """Change what the footer says of each column, and of what is inside of it."""
    footer = _read(path)
    elements = [dict(fields) for fields in list_structs(footer[_COLUMNS])]
    for element in elements:
        change(element)
    footer[_COLUMNS] = make_list(STRUCT, [write_struct(fields) for fields in elements])
    return _write(path, footer)


def repeat_chunks(path: Path) -> Path:
    """Tell of the chunks of the first row group twice, as if there were more columns than there are."""
    footer = _read(path)
    groups = [dict(fields) for fields in list_structs(footer[_GROUPS])]
    chunks = [value.stored for value in list_values(groups[0][_CHUNKS])]
    groups[0][_CHUNKS] = make_list(STRUCT, [*chunks, *chunks])
    footer[_GROUPS] = make_list(STRUCT, [write_struct(fields) for fields in groups])
    return _write(path, footer)


def write_deep(path: Path, levels: int) -> Path:
    """Write a file without rows, with a column of numbers inside so many others."""
    name = Value(BINARY, b"\x01x")
    inner = write_struct({3: make_int(0, I32), 4: name, 5: make_int(1, I32)})
    leaf = write_struct({1: make_int(1, I32), 3: make_int(0, I32), 4: name})
    elements = make_list(STRUCT, [*[inner] * levels, leaf])
    footer = {1: make_int(2, I32), 2: elements, 3: make_int(0), 4: make_list(STRUCT, [])}
    path.write_bytes(b"PAR1" + bytes(8))
    return _write(path, footer)


def _find_footer(content: bytes) -> int:
    return len(content) - 8 - int.from_bytes(content[-8:-4], "little")


def _read(path: Path) -> Fields:
    content = path.read_bytes()
    return dict(read_struct(content, _find_footer(content)).fields)


def _write(path: Path, footer: Fields) -> Path:
    content = path.read_bytes()
    stored = write_struct(footer)
    length = len(stored).to_bytes(4, "little")
    path.write_bytes(content[: _find_footer(content)] + stored + length + b"PAR1")
    return path


def lengthen_histogram(metadata: Fields) -> None:
    sizes = dict(read_struct(metadata[_SIZES].stored).fields)
    assert sizes[_LEVELS].kind == LIST
    sizes[_LEVELS] = make_list(6, [make_int(1).stored] * 9)
    metadata[_SIZES] = Value(STRUCT, write_struct(sizes))


def take_for_texts(metadata: Fields) -> None:
    sizes = dict(read_struct(metadata[_SIZES].stored).fields)
    sizes[_TEXTS_BYTES] = make_int(7)
    metadata[_SIZES] = Value(STRUCT, write_struct(sizes))


def change_type(metadata: Fields) -> None:
    metadata[_TYPE] = make_int(4, I32)


def take_no_type(metadata: Fields) -> None:
    metadata[_TYPE] = make_int(99, I32)


def take_negative_type(metadata: Fields) -> None:
    # Counted from the end of all eight, it would be the column's own.
    metadata[_TYPE] = make_int(-6, I32)


def shorten_ends(metadata: Fields) -> None:
    statistics = dict(read_struct(metadata[_STATISTICS].stored).fields)
    for field in (1, 2, 5, 6):
        if field in statistics:
            statistics[field] = Value(8, b"\x03abc")
    metadata[_STATISTICS] = Value(STRUCT, write_struct(statistics))


# Each of these ended the process where pyarrow was asked about the chunk, or about its statistics.
WRONG_CHUNKS = [lengthen_histogram, take_for_texts]
WRONG_STATISTICS = [change_type, take_no_type, take_negative_type, shorten_ends]
