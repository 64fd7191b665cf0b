"""Which of the columns that a job wants stand in the names of folders, and not in the files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pyarrow import DataType

from configs.errors import InputError, JobError
from storage.input_file import InputFile
from transforms.formats.column import Column
from transforms.formats.format import Format
from transforms.formats.partitions import PartitionedFormat, find_partitions


def with_partitions(
    format: Format,
    first: InputFile,
    wanted: Sequence[Column],
    inferred: Mapping[str, DataType] | None = None,
) -> Format:
    """Return the format that also reads those columns, or the same one where there are none.

    A column that the first file has is read from files, whatever their folders are called.

    Args:
        format: how the files themselves are read.
        first: the first one.
        wanted: the columns that will be read.
        inferred: types of columns in folders' names, of a job that declares these folders; a
            column of the files that they name, too, must then be the same there.

    Raises:
        JobError: such a column has no declared type.
        InputError: the first file cannot be read, or none of the columns is in it.
    """
    in_folders = find_partitions(first.url)
    names = [column.name for column in wanted]
    # As a rule, without looking into the file.
    if in_folders.keys().isdisjoint(names):
        return format
    _, schema = format.inspect(first, ())
    missing = [column for column in wanted if column.name not in schema.names]
    found = [column for column in missing if column.name in in_folders]
    for column in found:
        if column.type is None and inferred is None:
            raise JobError(
                f"source.types must declare the column {column.name!r}, which stands in the names "
                f"of folders, for example --set source.types.{column.name}=string"
            )
    # How many rows there are, only a column of the file tells.
    if len(found) == len(wanted):
        raise InputError(
            f"{first.url}: every column that is read stands in the names of its folders; "
            "name one of the file in source.passthrough"
        )
    twice: list[str] = []
    if inferred is not None:
        both = in_folders.keys() & set(schema.names)
        twice = [column.name for column in wanted if column.name in both]
    if not found and not twice:
        return format
    names = [column.name for column in found]
    return PartitionedFormat(format, tuple(names), tuple(twice))


def with_types(
    wanted: Sequence[Column],
    format: Format,
    inferred: Mapping[str, DataType],
) -> list[Column]:
    """Return the columns, of which those that stand in folders' names alone have a type.

    Args:
        wanted: the columns that will be read.
        format: as `with_partitions` gives it.
        inferred: types of columns in folders' names.
    """
    if not isinstance(format, PartitionedFormat):
        return list(wanted)
    typed = []
    for column in wanted:
        # Of a column that the files have, too, they tell the type.
        if column.type is None and column.name in format.columns:
            column = replace(column, type=inferred[column.name])
        typed.append(column)
    return typed
