"""What the names of all folders say together, where a job declares Hive's: `source.partitions: hive`.

In come the listed files, out go the columns that their folders name, each with the one type that all
of its values have. Nothing is opened.
"""

from collections.abc import Sequence
import re
from typing import Any, TypeAlias

import pyarrow as pa
from pyarrow import DataType

from configs.errors import InputError, JobError
from configs.job import Source
from storage.input_file import InputFile
from storage.partition_names import HIVE_NULL
from transforms.formats.partitions import find_partitions

# As a program writes an integer: 007 is a code, which a number would lose the zeros of.
_INTEGER = re.compile(rb"0|-?[1-9][0-9]*")
_DATE = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# By column.
Types: TypeAlias = dict[str, DataType]


def declare_hive(source: Source[Any], files: Sequence[InputFile]) -> Types | None:
    """Return the columns of folders' names, with their types; None where the job declares none.

    Args:
        source: the job's.
        files: all input files; at least one.

    Raises:
        JobError: rows are the files themselves, or no folder names a column.
        InputError: the folders of a file name other columns than those of the first one.
    """
    if source.partitions is None:
        return None
    if source.format == "files":
        raise JobError(
            "source.partitions: folders of a source of files are a part of each row's path; leave "
            "source.partitions out, or name the files in a table"
        )
    return infer_partition_types(files)


def infer_partition_types(files: Sequence[InputFile]) -> Types:
    """Return the columns that stand in the names of the files' folders, with their types.

    Integers of 64 bits where all values are written so, dates where all are, and else texts.

    Args:
        files: all input files, before any is left out; at least one.

    Raises:
        JobError: no folder names a column.
        InputError: the folders of a file name other columns than those of the first one.
    """
    first = files[0]
    names = list(find_partitions(first.url))
    if not names:
        raise JobError(
            f"source.partitions is hive, but no folder of {first.url} is called column=value; "
            "leave source.partitions out"
        )
    # Files are many and values few.
    values: dict[str, set[bytes]] = {name: set() for name in names}
    for file in files:
        partitions = find_partitions(file.url)
        found = list(partitions)
        if found != names:
            raise _refuse_uneven(first, names, file, found)
        for name, texts in partitions.items():
            values[name].update(texts)
    return {name: _infer_type(texts) for name, texts in values.items()}


def _infer_type(texts: set[bytes]) -> DataType:
    # What is missing has any type.
    given = texts - {HIVE_NULL.encode()}
    if given and all(map(_INTEGER.fullmatch, given)):
        dtype = pa.int64()
        if _can_be(given, dtype):
            return dtype
    if given and all(map(_DATE.fullmatch, given)):
        dtype = pa.date32()
        if _can_be(given, dtype):
            return dtype
    return pa.string()


def _can_be(texts: set[bytes], dtype: DataType) -> bool:
    """Tell whether each text is a value of the type: a number may be too large, a month the 13th."""
    decoded = [text.decode() for text in texts]
    values = pa.array(decoded, pa.string())
    try:
        values.cast(dtype)
    except pa.ArrowInvalid:
        return False
    return True


def _refuse_uneven(
    first: InputFile,
    names: Sequence[str],
    file: InputFile,
    found: Sequence[str],
) -> InputError:
    expected = ", ".join(names)
    given = ", ".join(found) or "no column"
    return InputError(
        f"{file.url}: its folders name {given}, but those of {first.url} name {expected}; "
        "with source.partitions: hive all files stand in the same folders, so move it, or take it "
        "out of source.paths"
    )
