"""List and freeze the input files, look into each, and cut them into units of work.

No worker has started yet.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import pyarrow as pa

from configs.errors import InputError
from configs.suggest import nearest
from storage import files, inputs
from storage.inputs import InputFile
from transforms.batches import WorkUnit
from transforms.formats.format import Column, Format, Piece, Shard

# A store answers in tens of milliseconds; a disk is busy with fewer.
_THREADS = 8
# Enough to see what was meant, few enough for a line.
_SHOWN_NAMES = 5


class Listed(NamedTuple):
    """Input files, and the URLs that were left out."""

    files: list[InputFile]
    ignored: list[str]


class _PlacedPiece(NamedTuple):
    shard: Shard
    piece: Piece


def list_shards(paths: Sequence[str]) -> Listed:
    """Return every input file once, sorted by URL, and the URLs that were left out.

    Raises:
        InputError: a path that matches nothing, a file without a byte, or one whose name is not
            UTF-8.
    """
    found: dict[str, InputFile] = {}
    ignored: list[str] = []
    for path in paths:
        matches, left_out = _list_matches(path)
        if not matches:
            neighbours = _describe_neighbours(path)
            raise InputError(f"source.paths {path}: matches no file{neighbours}")
        for file in matches:
            _refuse_unwritable_name(file.url)
            # By URL: paths may overlap, and a row must not be scored twice.
            found[file.url] = file
        ignored += left_out
    for file in found.values():
        if file.bytes == 0:
            raise InputError(
                f"{file.url}: has 0 bytes, so it is neither Parquet nor CSV; "
                "write it again or take it out of source.paths"
            )
    # Sorted: the order in which paths are named makes no other run.
    in_order = sorted(found.values())
    return Listed(in_order, sorted(set(ignored)))


def read_shards(
    listed: Sequence[InputFile], format: Format, wanted: Sequence[Column]
) -> tuple[list[Shard], pa.Schema]:
    """Look into each file, and check that it has every wanted column in a type that it may have.

    Args:
        listed: the files, in order; at least one.
        format: how they are read.
        wanted: what each must have.

    Returns:
        The shards, and the wanted columns' types; the first file decides those that nobody has
            declared.

    Raises:
        InputError: the first file, in order, that is not readable, lacks a column, or has another
            type.
    """
    first, schema = format.inspect(listed[0], wanted)
    settled = [_settle_type(column, schema) for column in wanted]
    with ThreadPoolExecutor(_THREADS) as pool:
        inspect = partial(_inspect, format, settled)
        # In order, so that the same file is named every time.
        others = pool.map(inspect, listed[1:])
        shards = [first, *others]
    fields = [(column.name, column.type) for column in settled]
    return shards, pa.schema(fields)


def cut_into_units(
    shards: Sequence[Shard], format: Format, rows_per_unit: int
) -> tuple[WorkUnit, ...]:
    """Return the units of work, in the order of shards and rows.

    Args:
        shards: as `read_shards` gives them.
        format: how they are read.
        rows_per_unit: about how many rows each shall have.
    """
    pieces: list[_PlacedPiece] = []
    for shard in shards:
        for piece in format.split(shard, rows_per_unit):
            placed = _PlacedPiece(shard, piece)
            pieces.append(placed)
    units = [_make_unit(index, shard, piece) for index, (shard, piece) in enumerate(pieces)]
    return tuple(units)


def _list_matches(path: str) -> Listed:
    try:
        return Listed(*inputs.list_inputs(path))
    except (ImportError, ValueError) as error:
        raise InputError(
            f"source.paths {path}: {error}; install the extra for this kind of storage (s3, gcs)"
        ) from error
    except OSError as error:
        raise InputError(
            f"source.paths {path}: cannot be listed: {error.strerror}; "
            "check the address and credentials"
        ) from error


def _refuse_unwritable_name(url: str) -> None:
    """Refuse a name of bytes that are no text: no record, manifest or store could hold it."""
    # Python keeps such a byte as half a letter, which no encoding has.
    escaped = url.encode(errors="backslashreplace").decode()
    if escaped != url:
        raise InputError(f"{url}: its name is not UTF-8; rename the file")


def _inspect(format: Format, wanted: Sequence[Column], file: InputFile) -> Shard:
    shard, _ = format.inspect(file, wanted)
    return shard


def _settle_type(column: Column, schema: pa.Schema) -> Column:
    if column.type is not None:
        return column
    return replace(column, type=schema.field(column.name).type)


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
    hint = nearest(name, names)
    if hint:
        return hint
    shown = ", ".join(names[:_SHOWN_NAMES])
    return f"; in its folder are {shown}, ..."
