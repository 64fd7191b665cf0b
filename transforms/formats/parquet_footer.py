"""The footers of Parquet files: what they say of columns and row groups, before any row is read."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TypeAlias

import pyarrow as pa
from pyarrow import DataType, Schema
from pyarrow.parquet import (
    ColumnChunkMetaData,
    ColumnSchema,
    FileMetaData,
    ParquetFile,
    ParquetReader,
    RowGroupMetaData,
)

from configs.errors import InputError
from storage import files
from storage.parquet_chunks import check_chunks
from transforms.formats.parquet_prefix import FILE_END_BYTES, FileEnd
from transforms.formats.parquet_refused_column import explain_refused_column
from transforms.formats.parquet_ways import USUAL, declare_int96
from transforms.formats.read_failures import explain_failure, find_way_out, is_out_of_reach

_DECRYPT = "store it decrypted, on an encrypted disk or in an encrypted bucket if need be"
# Bytes of one value in memory; that of other types is in the schema, or differs from value to value.
_VALUE_BYTES = {
    "BOOLEAN": 1,
    "INT32": 4,
    "INT64": 8,
    "INT96": 8,
    "FLOAT": 4,
    "DOUBLE": 8,
}
# By number of the leaf.
Widths: TypeAlias = dict[int, int]
Leaves: TypeAlias = dict[int, ColumnSchema]
# A text takes at least these, which say how long it is.
_LENGTH_BYTES = 4
# What a disk, a store and Arrow raise; the last one of a name of a column.
_UNREADABLE = (OSError, pa.ArrowException, UnicodeDecodeError)
# Of a library's message.
_MOST_CHARACTERS = 200
# An encrypted footer ends otherwise, and is refused for that.
_MAGIC = b"PAR1"
# What is fetched at first: more than the footers of most files, and less than a store takes longer for.
_LIKELY_FOOTER_BYTES = 1 << 16


def read_end(url: str) -> FileEnd:
    """Read a file from its footer on.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return FileEnd(url, _read_end(url))
    except _UNREADABLE as error:
        raise explain_unreadable(url, error) from error


def parse_footer(end: FileEnd) -> tuple[Schema, FileMetaData]:
    """Return a file's schema, with INT96 columns in the usual unit, and its footer.

    Raises:
        InputError: it is no Parquet file, or is encrypted.
    """
    try:
        with _open_end(end) as parquet:
            return parquet.schema_arrow, parquet.metadata
    except _UNREADABLE as error:
        refusal = explain_refused_column(end.url, end.footer)
        raise (refusal or explain_unreadable(end.url, error)) from error


def parse_metadata(end: FileEnd) -> FileMetaData:
    """Return a file's footer alone, where the schema is known.

    Raises:
        InputError: it is no Parquet file, or is encrypted.
    """
    # A `ParquetFile` would look at each column, which takes a third as long again.
    reader = ParquetReader()
    try:
        reader.open(pa.BufferReader(end.content))
    except _UNREADABLE as error:
        raise explain_unreadable(end.url, error) from error
    metadata: FileMetaData = reader.metadata
    return metadata


def read_footer(url: str) -> tuple[Schema, FileMetaData]:
    """Return a file's schema, with INT96 columns in the usual unit, and its footer.

    Raises:
        InputError: the file cannot be read, is no Parquet file, or is encrypted.
    """
    return parse_footer(read_end(url))


def declare_types(
    url: str,
    schema: Schema,
    metadata: FileMetaData,
    declared: Mapping[str, DataType | None],
) -> Schema:
    """Return a file's schema, with INT96 columns in the units that somebody declared.

    Args:
        url: the file.
        schema, metadata: as `read_footer` gives them.
        declared: the types that the job or the contract states, by column.

    Raises:
        InputError: as `read_footer`.
    """
    try:
        return declare_int96(url, schema, metadata, declared)
    except _UNREADABLE as error:
        raise explain_unreadable(url, error) from error


def explain_unreadable(url: str, error: Exception) -> InputError:
    """Return the refusal of a file that cannot be read.

    Args:
        url: the file.
        error: what a disk, a store or Arrow says.
    """
    if is_encryption(error):
        return InputError(f"{url}: is encrypted; {_DECRYPT}")
    what = "is not a readable Parquet file"
    if is_out_of_reach(error):
        what = "cannot be read"
    hint = find_way_out(error)
    if url.endswith((".csv", ".csv.gz", ".csv.zst")):
        hint = "is it CSV? then set source.format=csv"
    # The rest is Arrow's advice to programmers.
    explained = explain_failure(error, url)
    first_sentence, _, _ = explained.partition(". ")
    reason = first_sentence[:_MOST_CHARACTERS]
    return InputError(f"{url}: {what}: {reason}; {hint}")


def is_encryption(error: Exception) -> bool:
    """Tell whether a Parquet file could not be read because it, or a column of it, is encrypted."""
    # pyarrow has no error class of its own for that.
    message = str(error).lower()
    return "decrypt" in message or "encrypted" in message


def list_groups(metadata: FileMetaData) -> list[RowGroupMetaData]:
    """Return what a footer says of each row group, in the order of the file."""
    numbers = range(metadata.num_row_groups)
    return [metadata.row_group(number) for number in numbers]


def holds_more_than(
    limit: int,
    url: str,
    metadata: FileMetaData,
    names: set[str],
) -> bool:
    """Tell whether some columns are larger than a limit, decoded, as far as the footer tells.

    Args:
        limit: in bytes.
        url: the file.
        metadata: its footer.
        names: those of the columns.

    Raises:
        InputError: columns are encrypted, so that nobody can tell.
    """
    widths = list_widths(metadata, names)
    row_width = sum(widths.values())
    groups = list_groups(metadata)
    at_most = 0
    for group in groups:
        # A dictionary hides how often its values stand there, so the rows count as well.
        plain_bytes = group.num_rows * row_width
        at_most += group.total_byte_size + plain_bytes
    # Nearly always, and it asks for no column.
    if at_most <= limit:
        return False
    refuse_encrypted_columns(url, metadata)
    refuse_broken_chunks(url, metadata, range(len(groups)), widths)
    decoded_bytes = 0
    for group in groups:
        for number, width in widths.items():
            column = group.column(number)
            decoded_bytes += _count_column_bytes(column, width)
    return decoded_bytes > limit


def count_stored_bytes(
    url: str,
    metadata: FileMetaData,
    names: set[str],
) -> dict[int, int]:
    """Return the bytes that some columns take in a file, by number of the row group.

    Args:
        url: the file.
        metadata: its footer.
        names: those of the columns.

    Raises:
        InputError: its footer is broken.
    """
    leaves = list(list_widths(metadata, names))
    stored = {}
    groups = list_groups(metadata)
    refuse_broken_chunks(url, metadata, range(len(groups)), leaves)
    for number, group in enumerate(groups):
        size_bytes = 0
        for leaf in leaves:
            column = group.column(leaf)
            size_bytes += column.total_compressed_size
        stored[number] = size_bytes
    return stored


def list_widths(metadata: FileMetaData, names: set[str]) -> Widths:
    """Return the bytes of a value, by number of the leaf, of the leaves that some columns have.

    Of texts, which differ, the least.

    Args:
        metadata: a file's footer.
        names: those of the columns.
    """
    leaves = _list_leaves(metadata, names)
    return {number: _get_width(leaf) for number, leaf in leaves.items()}


def list_columns_of_leaves(metadata: FileMetaData, names: set[str]) -> dict[int, str]:
    """Return the column that each leaf is of, by number of the leaf, of the leaves of some columns.

    Args:
        metadata: a file's footer.
        names: those of the columns.
    """
    columns = {}
    leaves = _list_leaves(metadata, names)
    for number, leaf in leaves.items():
        name = _find_column(leaf.path, names)
        if name is not None:
            columns[number] = name
    return columns


def list_leaves_of_columns(
    schema: Schema,
    metadata: FileMetaData,
    names: Sequence[str],
) -> dict[str, list[int]] | None:
    """Return the leaves of some columns; None where their names do not tell them apart.

    Args:
        schema: the file's columns.
        metadata: its footer.
        names: those of the columns.
    """
    # The path of a leaf has dots, too.
    if any("." in name for name in schema.names):
        return None
    columns: dict[str, list[int]] = {name: [] for name in names}
    for leaf, name in list_columns_of_leaves(metadata, set(names)).items():
        columns[name].append(leaf)
    return columns


def refuse_intervals(
    url: str,
    metadata: FileMetaData,
    names: set[str],
) -> None:
    """Refuse a wanted column of intervals, which Arrow would make bytes without a meaning of.

    Args:
        url: the file.
        metadata: its footer.
        names: those of the wanted columns.

    Raises:
        InputError: there is one, maybe inside another column.
    """
    leaves = _list_leaves(metadata, names)
    for leaf in leaves.values():
        if leaf.converted_type == "INTERVAL":
            column_name = _find_column(leaf.path, names)
            raise InputError(
                f"{url}: column {column_name!r} is an INTERVAL, which cannot be read as such; "
                "write it as a number, as text, or leave it out"
            )


def refuse_broken_chunks(
    url: str,
    metadata: FileMetaData,
    groups: Sequence[int],
    leaves: Iterable[int],
) -> None:
    """Refuse a file of which pyarrow cannot be asked about column chunks; see `check_chunks`.

    Args:
        url: the file.
        metadata: its footer.
        groups, leaves: numbers of those that will be asked about.

    Raises:
        InputError: its footer is broken.
    """
    try:
        check_chunks(metadata, groups, leaves)
    except _UNREADABLE as error:
        raise explain_unreadable(url, error) from error


def refuse_encrypted_columns(url: str, metadata: FileMetaData) -> None:
    """Refuse a file whose plain footer is longer than its content.

    Such a footer is signed, so columns are encrypted; to ask pyarrow about them ends the process.

    Args:
        url: the file.
        metadata: its footer.

    Raises:
        InputError: it is.
    """
    end = FileEnd(url, files.read_end(url, FILE_END_BYTES))
    refuse_encrypted_end(end, metadata)


def refuse_encrypted_end(end: FileEnd, metadata: FileMetaData) -> None:
    """Refuse a file as `refuse_encrypted_columns` does, of which the end is read already.

    Args:
        end: at least the last bytes of the file.
        metadata: its footer.

    Raises:
        InputError: it is encrypted in part.
    """
    if end.footer_bytes != metadata.serialized_size:
        raise InputError(f"{end.url}: is encrypted in part; {_DECRYPT}")


def _open_end(end: FileEnd) -> ParquetFile:
    source = pa.BufferReader(end.content)
    return ParquetFile(source, coerce_int96_timestamp_unit=USUAL.unit)


def _read_end(url: str) -> bytes:
    # Nothing else of the file: of a store that is one request, and Arrow makes several.
    end = files.read_end(url, _LIKELY_FOOTER_BYTES)
    wanted_bytes = FileEnd(url, end).footer_bytes + FILE_END_BYTES
    is_cut = len(end) == _LIKELY_FOOTER_BYTES
    # Arrow says what is wrong with what does not end like Parquet.
    if is_cut and wanted_bytes > len(end) and end.endswith(_MAGIC):
        return files.read_end(url, wanted_bytes)
    return end


def _list_leaves(metadata: FileMetaData, names: set[str]) -> Leaves:
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


def _get_width(leaf: ColumnSchema) -> int:
    by_length = max(leaf.length, _LENGTH_BYTES)
    return _VALUE_BYTES.get(leaf.physical_type, by_length)


def _count_column_bytes(column: ColumnChunkMetaData, width: int) -> int:
    # A dictionary of one value stands for as many as there are rows.
    plain_bytes = column.num_values * width
    return max(column.total_uncompressed_size, plain_bytes)
