"""A job's filter of its input, `source.where`: which files it needs not open, and how the others are read."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
from pyarrow import DataType, Schema

from configs.errors import InputError, JobError
from storage.input_file import InputFile
from storage.packed import Packing, pack_many
from transforms.bounds import Bounds, make_bounds_of
from transforms.formats.filtered import FilteredFormat
from transforms.formats.format import Format, no_rows
from transforms.formats.partitions import read_values
from transforms.where import SOURCE, refuse_calls, where_columns, where_mask
from transforms.where_bounds import may_pass


class Pruned(NamedTuple):
    """The files that are read, and how many others there are."""

    files: Sequence[InputFile]
    pruned: int


def list_filter_columns(
    where: str | None,
    input_format: str,
    made: Sequence[str] = (),
) -> list[str]:
    """Return the columns that a job's filter reads.

    Args:
        where: the filter, if there is one.
        input_format: `source.format`.
        made: columns that steps make of files, which it cannot read.

    Raises:
        JobError: it is no filter, or reads such a column; or rows are files, not those of a table.
    """
    if where is None:
        return []
    if input_format == "files":
        raise JobError(
            f"{SOURCE}: a source of files has no columns to filter by before they are read; choose "
            "them with source.paths and source.files.suffixes, or name them in a table"
        )
    refuse_calls(where, SOURCE)
    names = where_columns(where, SOURCE)
    for name in names:
        if name in made:
            raise JobError(
                f"{SOURCE} names {name!r}, which a step makes; a filter of the input sees the "
                "columns of files and of their folders alone"
            )
    return names


def prune_files(
    files: Sequence[InputFile],
    where: str,
    types: Mapping[str, DataType],
) -> Pruned:
    """Leave out files of which the names of their folders tell that no row passes.

    Args:
        files: all that were listed.
        where: the filter.
        types: of the columns in folders' names that the filter reads.

    Raises:
        InputError: no file is left, or a folder's name is not of its type.
    """
    if not types:
        return Pruned(files, 0)
    # Many files are in one folder.
    answers: dict[str, bool] = {}
    kept: Packing[InputFile] = Packing()
    for file in files:
        folder, _, _ = file.url.rpartition("/")
        if folder not in answers:
            bounds = _find_bounds(file.url, types)
            answers[folder] = may_pass(where, bounds)
        if answers[folder]:
            kept.append(file)
    count = len(files)
    if not kept:
        raise InputError(
            f"{SOURCE}: {where}: no row of any of the {count:,} files can pass, as the names of "
            "their folders tell; widen the filter, or name other files in source.paths"
        )
    return Pruned(pack_many(kept), count - len(kept))


def with_filter(format: Format, where: str | None, schema: Schema) -> Format:
    """Return the format that reads the rows that pass alone; the same one without a filter.

    Args:
        format: how all rows are read.
        where: the filter, if there is one.
        schema: at least the columns that it reads, in the types that they come out in.

    Raises:
        JobError: the filter does not fit the columns' types.
    """
    if where is None:
        return format
    rows = no_rows(schema)
    columns = dict(zip(schema.names, rows.columns, strict=True))
    # On no rows, so that what cannot be compared is told before any worker starts.
    where_mask(where, columns, 0, SOURCE)
    fields = [schema.field(name) for name in where_columns(where, SOURCE)]
    return FilteredFormat(format, where, pa.schema(fields))


def _find_bounds(
    url: str,
    types: Mapping[str, DataType],
) -> dict[str, Bounds]:
    values = read_values(url, pa.schema(types))
    return {name: make_bounds_of(value) for name, (value,) in values.items()}
