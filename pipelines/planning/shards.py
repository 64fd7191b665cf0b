"""List and freeze the input files, look into each, and cut them into units of work.

No worker has started yet.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa

from configs.errors import InputError
from configs.suggest import nearest
from storage import files, inputs
from storage.inputs import InputFile
from transforms.batches import WorkUnit
from transforms.formats.format import Column, Format, Piece, Shard, refuse_type
from transforms.logical_types import join_types, storable_type

# A store answers in tens of milliseconds; a disk is busy with fewer.
_THREADS = 8
# Enough to see what was meant, few enough for a line.
_SHOWN_NAMES = 5


def list_shards(paths: Sequence[str]) -> tuple[list[InputFile], list[str]]:
    """Return every input file once, sorted by URL, and the URLs that were left out.

    Raises:
        InputError: a path that matches nothing, or a file without a byte.
    """
    found: dict[str, InputFile] = {}
    ignored: list[str] = []
    for path in paths:
        matches, left_out = _list_matches(path)
        if not matches:
            raise InputError(f"source.paths {path}: matches no file{_describe_neighbours(path)}")
        # By URL: paths may overlap, and a row must not be scored twice.
        found.update((file.url, file) for file in matches)
        ignored += left_out
    for file in found.values():
        if file.bytes == 0:
            raise InputError(
                f"{file.url}: has 0 bytes, so it is neither Parquet nor CSV; "
                "write it again or take it out of source.paths"
            )
    return sorted(found.values()), sorted(set(ignored))


def read_shards(
    listed: Sequence[InputFile], format: Format, wanted: Sequence[Column]
) -> tuple[list[Shard], pa.Schema]:
    """Look into each file, and check that it has every wanted column in a type that it may have.

    Args:
        listed: the files, in order; at least one.
        format: how they are read.
        wanted: what each must have.

    Returns:
        The shards, and the wanted columns with the types that they come out in, see `_settle_type`.

    Raises:
        InputError: the first file, in order, that is not readable, lacks a column, or has another
            type.
    """

    def inspect(file: InputFile) -> tuple[Shard, tuple[pa.DataType, ...]]:
        shard, schema = format.inspect(file, wanted)
        # Not the whole schema: a file may have thousands of columns, and there may be many files.
        return shard, tuple(schema.field(column.name).type for column in wanted)

    # Alone, so that nothing more is read where already the first file does not fit.
    looked_into = [inspect(listed[0])]
    with ThreadPoolExecutor(_THREADS) as pool:
        # In order, so that the same file is named every time.
        looked_into += pool.map(inspect, listed[1:])
    # Files are many and types few, so each combination is looked at once.
    first_with: dict[tuple[pa.DataType, ...], str] = {}
    for shard, types in looked_into:
        first_with.setdefault(types, shard.file.url)
    urls = list(first_with.values())
    fields = [
        pa.field(column.name, _settle_type(column, types, urls))
        for column, types in zip(wanted, zip(*first_with, strict=True), strict=True)
    ]
    return [shard for shard, _ in looked_into], pa.schema(fields)


def cut_into_units(
    shards: Sequence[Shard], format: Format, rows_per_unit: int
) -> tuple[WorkUnit, ...]:
    """Return the units of work, in the order of shards and rows.

    Args:
        shards: as `read_shards` gives them.
        format: how they are read.
        rows_per_unit: about how many rows each shall have.
    """
    pieces: list[tuple[Shard, Piece]] = []
    for shard in shards:
        pieces += [(shard, piece) for piece in format.split(shard, rows_per_unit)]
    return tuple(_make_unit(index, *piece) for index, piece in enumerate(pieces))


def _list_matches(path: str) -> tuple[list[InputFile], list[str]]:
    try:
        return inputs.list_inputs(path)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"source.paths {path}: {error}; install the extra for this kind of storage (s3, gcs)"
        ) from error
    except OSError as error:
        raise InputError(
            f"source.paths {path}: cannot be listed: {error.strerror}; "
            "check the address and credentials"
        ) from error


def _settle_type(column: Column, types: Sequence[pa.DataType], urls: Sequence[str]) -> pa.DataType:
    """Return the one type that a column comes out in, whatever the physical form of each shard.

    Where all shards have the same, it is that, exactly; where they differ in form alone, it is a form
    that holds all of them. What is not carried has the declared type, as the model was trained with it.

    Args:
        column: the column, with the type that somebody declared.
        types: those that the files have.
        urls: a file that has each.

    Raises:
        InputError: the first file whose type is not that of those before it.
    """
    if column.type is not None and not column.keeps_form(types):
        return column.type
    settled = types[0]
    for url, actual in zip(urls, types, strict=True):
        joined = join_types(settled, actual)
        if joined is None:
            raise refuse_type(url, replace(column, type=settled), actual)
        settled = joined
    return storable_type(settled)


def _make_unit(index: int, shard: Shard, piece: Piece) -> WorkUnit:
    return WorkUnit(
        index=index,
        shard=shard.file.url,
        version=shard.file.version,
        span=piece.span,
        first_row=piece.first_row,
        rows=piece.rows,
        bytes=piece.bytes,
    )


def _describe_neighbours(path: str) -> str:
    """Return what there is in the folder of a pattern that matches nothing."""
    folder, _, name = path.rpartition("/")
    names = files.list_names(folder or ".")
    if not names:
        return "; its folder does not exist or is empty"
    shown = ", ".join(names[:_SHOWN_NAMES])
    return nearest(name, names) or f"; in its folder are {shown}, ..."
