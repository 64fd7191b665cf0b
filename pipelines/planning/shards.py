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
from storage.listing import to_printable
from storage.table_logs import Cleared
from transforms.batches import WorkUnit
from transforms.formats.format import Column, Format, Piece, Shard

# A store answers in tens of milliseconds; a disk is busy with fewer.
_THREADS = 8
# Enough to see what was meant, few enough for a line.
_SHOWN_NAMES = 5


def list_shards(paths: Sequence[str], recursive: bool = False) -> tuple[list[InputFile], list[str]]:
    """Return every input file once, sorted by URL, and the URLs that were left out.

    Args:
        paths: files, folders and globs.
        recursive: whether plain folders below a folder are read, too.

    Raises:
        InputError: a path that matches nothing, something that can be neither read nor left out, a
            file under two names, or one without a byte.
    """
    found: dict[str, InputFile] = {}
    ignored: list[str] = []
    # A job may name thousands of files of one folder.
    cleared: Cleared = set()
    for path in paths:
        matches, left_out = _list_matches(path, recursive, cleared)
        if not matches:
            raise InputError(f"source.paths {path}: matches no file{_say_why(path, left_out)}")
        # By URL: paths may overlap, and a row must not be scored twice.
        found.update((file.url, file) for file in matches)
        ignored += left_out
    taken = sorted(found.values())
    for file in taken:
        if file.bytes == 0:
            raise InputError(
                f"{file.url}: has 0 bytes, so it is neither Parquet nor CSV; "
                "write it again or take it out of source.paths"
            )
    _refuse_second_names(taken)
    # One path may leave out what another one names.
    return taken, sorted(set(ignored) - _list_places(taken))


def read_shards(
    listed: Sequence[InputFile], format: Format, wanted: Sequence[Column]
) -> tuple[list[Shard], pa.Schema]:
    """Look into each file, and check that it has every wanted column in a type that it may have.

    Args:
        listed: the files, in order; at least one.
        format: how they are read.
        wanted: what each must have.

    Returns:
        The shards, and the wanted columns' types, of which the first file decides those that nobody
            has
        declared.

    Raises:
        InputError: the first file, in order, that is not readable, lacks a column, or has another
            type.
    """
    first, schema = format.inspect(listed[0], wanted)
    settled = [_settle_type(column, schema) for column in wanted]
    with ThreadPoolExecutor(_THREADS) as pool:
        # In order, so that the same file is named every time.
        others = pool.map(lambda file: format.inspect(file, settled)[0], listed[1:])
        shards = [first, *others]
    return shards, pa.schema([(column.name, column.type) for column in settled])


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


def _list_matches(
    path: str, recursive: bool, cleared: Cleared
) -> tuple[list[InputFile], list[str]]:
    try:
        return inputs.list_inputs(path, recursive, cleared)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"source.paths {path}: {error}; install the extra for this kind of storage (s3, gcs)"
        ) from error
    except OSError as error:
        # A disk tells which folder it was.
        where = f" at {error.filename}" if error.filename else ""
        raise InputError(
            f"source.paths {path}: cannot be listed{where}: {error.strerror}; "
            "check the address, credentials and permissions"
        ) from error


def _refuse_second_names(taken: Sequence[InputFile]) -> None:
    """Refuse a file that has two names among the inputs: its rows would be scored twice."""
    urls: dict[tuple[str, str], str] = {}
    for file in taken:
        # With the version, as some mounts give two files of two disks one number.
        first = urls.setdefault((file.identity, file.version), file.url)
        if first != file.url:
            raise InputError(
                f"{file.url}: is the same file as {first}, by a link or another path to it; "
                "take one of the two out of source.paths"
            )


def _list_places(taken: Sequence[InputFile]) -> set[str]:
    """Return these files, the folders that hold them, and those above."""
    places: set[str] = set()
    for file in taken:
        place = file.url
        # Once a place is known, those above it are.
        while place and place not in places:
            places.add(place)
            place = place.rpartition("/")[0]
    return places


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


def _say_why(path: str, left_out: Sequence[str]) -> str:
    """Return why a path matches nothing, or what there is in its folder."""
    if left_out:
        # It may be no UTF-8, as long as nobody reads it.
        first = to_printable(left_out[0])
        return (
            f" but {len(left_out):,} that are left out, {first} first: names that begin "
            "with _ or ., or end with .crc; name such a file in full to read it"
        )
    folder, _, name = path.rstrip("/").rpartition("/")
    names = files.list_names(folder or ".")
    if not names:
        return "; its folder does not exist or is empty"
    if name in names:
        return "; it is a folder without a file"
    shown = ", ".join(names[:_SHOWN_NAMES])
    return nearest(name, names) or f"; in its folder are {shown}, ..."
