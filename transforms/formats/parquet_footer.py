"""What a Parquet file's footer tells of the columns that are wanted: their leaves, and their size decoded."""

from collections.abc import Container
import os

import pyarrow.parquet as pq

from configs.errors import InputError
from storage import files

DECRYPT = "store it decrypted, on an encrypted disk or in an encrypted bucket if need be"
# Bytes of a value that is stored plain; the length of other types is in the schema, or before it.
_STORED_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 8, "FLOAT": 4, "DOUBLE": 8}
# The four bytes before a text say how long it is.
_LENGTH_BYTES = 4
# A Parquet file ends with the length of its footer, and four letters.
_FOOTER_LENGTH_BYTES = 4
_FILE_END_BYTES = 8


def list_groups(metadata: pq.FileMetaData) -> list[pq.RowGroupMetaData]:
    """Return a footer's row groups."""
    numbers = range(metadata.num_row_groups)
    return [metadata.row_group(number) for number in numbers]


def holds_more_than(limit: int, url: str, metadata: pq.FileMetaData, names: set[str]) -> bool:
    """Tell whether some columns are larger than a limit, decoded, as far as the footer tells.

    Args:
        limit: in bytes.
        url: the file.
        metadata: its footer.
        names: those of the columns.
    """
    widths = _list_stored_widths(metadata, names)
    row_width = sum(widths.values())
    groups = list_groups(metadata)
    at_most = sum(group.total_byte_size + group.num_rows * row_width for group in groups)
    # Nearly always, and it asks for no column.
    if at_most <= limit:
        return False
    _refuse_encrypted_columns(url, metadata)
    decoded_bytes = 0
    for group in groups:
        for number, width in widths.items():
            column = group.column(number)
            decoded_bytes += _count_column_bytes(column, width)
    return decoded_bytes > limit


def refuse_intervals(url: str, metadata: pq.FileMetaData, names: set[str]) -> None:
    """Refuse a wanted column of intervals, which Arrow would make bytes without a meaning of.

    Args:
        url: the file.
        metadata: its footer.
        names: those of the wanted columns.

    Raises:
        InputError: there is one, maybe inside another column.
    """
    for leaf in _list_leaves(metadata, names).values():
        if leaf.converted_type == "INTERVAL":
            raise InputError(
                f"{url}: column {_find_column(leaf.path, names)!r} is an INTERVAL, which cannot be "
                "read as such; write it as a number, as text, or leave it out"
            )


def _list_stored_widths(metadata: pq.FileMetaData, names: set[str]) -> dict[int, int]:
    """Return the bytes of a value, by number of the leaf, of the leaves that some columns have."""
    leaves = _list_leaves(metadata, names)
    return {number: _get_stored_width(leaf) for number, leaf in leaves.items()}


def _list_leaves(metadata: pq.FileMetaData, names: set[str]) -> dict[int, pq.ColumnSchema]:
    """Return the leaves that some columns have, by number."""
    schema = metadata.schema
    leaves = {}
    for number in range(metadata.num_columns):
        leaf = schema.column(number)
        if _find_column(leaf.path, names) is not None:
            leaves[number] = leaf
    return leaves


def _find_column(path: str, names: Container[str]) -> str | None:
    """Return which of some columns a leaf is of.

    Leaves of a nested column are called by its name, a dot, and their own; and a dot may be in any
    name.
    """
    column_name = ""
    for part in path.split("."):
        column_name = f"{column_name}.{part}" if column_name else part
        if column_name in names:
            return column_name
    return None


def _refuse_encrypted_columns(url: str, metadata: pq.FileMetaData) -> None:
    """Refuse a file whose plain footer is longer than its content.

    Such a footer is signed, so columns are encrypted; to ask pyarrow about them ends the process.
    """
    with files.open_read(url) as file:
        file.seek(-_FILE_END_BYTES, os.SEEK_END)
        stored_length = file.read(_FOOTER_LENGTH_BYTES)
    length = int.from_bytes(stored_length, "little")
    if length != metadata.serialized_size:
        raise InputError(f"{url}: is encrypted in part; {DECRYPT}")


def _get_stored_width(leaf: pq.ColumnSchema) -> int:
    by_length = max(leaf.length, _LENGTH_BYTES)
    return _STORED_WIDTHS.get(leaf.physical_type, by_length)


def _count_column_bytes(column: pq.ColumnChunkMetaData, width: int) -> int:
    # A dictionary of one value stands for as many as there are rows.
    plain_bytes = column.num_values * width
    return max(column.total_uncompressed_size, plain_bytes)
