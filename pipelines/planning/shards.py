"""List and freeze the input files, and cut them into units of work.

No worker has started yet.
"""

from collections.abc import Iterable, Iterator, Sequence
import math
from typing import NamedTuple

from configs.errors import InputError
from configs.suggest import nearest
from storage import files, input_listing
from storage.input_file import InputFile
from storage.input_listing import InputListing
from storage.listing import to_printable
from storage.packed import pack_many
from storage.table_logs import Cleared
from transforms.batches import WorkUnit
from transforms.formats.file_list import FILES_OF_A_UNIT
from transforms.formats.format import Format, Shard, make_unit

# Enough to see what was meant, few enough for a line.
_SHOWN_NAMES = 5
# What keeps a machine of many cores busy to the end. Not as many as this machine has: the same work is the
# same units everywhere, or it could not be resumed elsewhere, and the files would differ.
_WANTED_UNITS = 16
# A unit costs some 20 milliseconds, which at least so much work must be worth: bytes of the input and what
# its rows cost behind reading, and bytes of the model times rows, as a row meets each number of a model
# about once. And the last mini-batch of a
# unit has places that no row fills.
_LEAST_UNIT_BYTES = 1 << 20
_LEAST_WORK = 1 << 32
# To open and decode so many files takes that long.
_LEAST_FILES = 64
_FEWEST_MINI_BATCHES = 4
_ENOUGH_MINI_BATCHES = 64


class Listed(NamedTuple):
    """Input files, and the URLs that were left out."""

    files: Sequence[InputFile]
    ignored: list[str]


def list_shards(
    paths: Sequence[str],
    recursive: bool = False,
    may_be_empty: bool = False,
) -> Listed:
    """Return every input file once, sorted by URL, and the URLs that were left out.

    Args:
        paths: files, folders and globs.
        recursive: whether plain folders below a folder are read, too.
        may_be_empty: whether a file without a byte is one without rows, and is not refused.

    Raises:
        InputError: a path that matches nothing, something that can be neither read nor left out, a
            file under two names, one without a byte, or one whose name is not UTF-8.
    """
    of_paths: list[Sequence[InputFile]] = []
    ignored: list[str] = []
    # A job may name thousands of files of one folder.
    cleared: Cleared = set()
    for path in paths:
        matches, left_out, _ = list_matches(path, recursive, cleared)
        if not matches:
            why = say_why(path, left_out)
            raise InputError(f"source.paths {path}: matches no file{why}")
        of_paths.append(matches)
        ignored += left_out
    found = _join_matches(of_paths)
    # Nobody asks again whether two names are one file, and each such answer takes its place.
    forgotten = (InputFile(file.url, file.bytes, file.version) for file in found)
    taken = pack_many(_check(forgotten, may_be_empty))
    refuse_second_names(found)
    # One path may leave out what another one names.
    left_out_of_all = set(ignored)
    if left_out_of_all:
        left_out_of_all -= _list_places(taken)
    return Listed(taken, sorted(left_out_of_all))


def _join_matches(of_paths: Sequence[Sequence[InputFile]]) -> Sequence[InputFile]:
    """Return the files of all paths, each once, sorted by URL."""
    # As those of one path come.
    if len(of_paths) == 1:
        return of_paths[0]
    # By URL: paths may overlap, and a row must not be scored twice.
    found = {file.url: file for matches in of_paths for file in matches}
    return sorted(found.values())


def _check(files_found: Iterable[InputFile], may_be_empty: bool) -> Iterator[InputFile]:
    for file in files_found:
        refuse_unwritable_name(file.url)
        if file.bytes == 0 and not may_be_empty:
            raise InputError(
                f"{file.url}: has 0 bytes, so it was not written to its end; "
                "write it again or take it out of source.paths"
            )
        yield file


def choose_rows_per_unit(
    shards: Sequence[Shard],
    rows_per_file: int,
    batch_rows: int,
    model_bytes: int,
    row_work: int = 0,
) -> int:
    """Return how many rows a unit shall have, at most.

    As many as a file, but fewer where all rows are so few that there would be no unit for every core.

    Args:
        shards: with their rows, where those are known.
        rows_per_file: rows of an output file, at most.
        batch_rows: rows of a mini-batch.
        model_bytes: size of the model's package.
        row_work: what a row costs once it is read, see `InputOptions`.
    """
    rows = 0
    size_bytes = 0
    for shard in shards:
        # Of CSV only reading tells, and it is cut by its bytes.
        if shard.rows is None:
            return rows_per_file
        rows += shard.rows
        size_bytes += shard.file.bytes
    worth = size_bytes + rows * row_work
    units = min(_WANTED_UNITS, worth // _LEAST_UNIT_BYTES)
    if units <= 1:
        return rows_per_file

    even_rows = math.ceil(rows / units)
    least_rows = _count_least_rows(batch_rows, model_bytes)
    wanted_rows = max(least_rows, even_rows)
    # Whole mini-batches, as the last one of a unit is padded.
    mini_batches = math.ceil(wanted_rows / batch_rows)
    return min(rows_per_file, mini_batches * batch_rows)


def choose_files_per_unit(
    shards: Sequence[Shard],
    rows_per_file: int,
    batch_rows: int,
    model_bytes: int,
) -> int:
    """Return how many rows a unit shall have, at most, where each row is a file that is opened.

    Args:
        shards: with their rows.
        rows_per_file: rows of an output file, at most.
        batch_rows: rows of a mini-batch.
        model_bytes: size of the model's package.
    """
    rows = sum(shard.rows or 0 for shard in shards)
    rows_of_each = math.ceil(rows / _WANTED_UNITS)
    even_rows = max(_LEAST_FILES, rows_of_each)
    # Of a large model a mini-batch takes so long that none of its places may stay empty.
    is_large = batch_rows * model_bytes > _LEAST_WORK
    if is_large or even_rows > batch_rows:
        mini_batches = math.ceil(even_rows / batch_rows)
        even_rows = mini_batches * batch_rows
    return min(rows_per_file, FILES_OF_A_UNIT, even_rows)


def cut_into_units(
    shards: Sequence[Shard],
    format: Format,
    rows_per_unit: int,
) -> Sequence[WorkUnit]:
    """Return the units of work, in the order of shards and rows, `Packed` where they are many.

    Args:
        shards: as `read_shards` of `shard_inspection.py` gives them.
        format: how they are read.
        rows_per_unit: about how many rows each shall have.
    """
    return pack_many(_cut(shards, format, rows_per_unit))


def _cut(shards: Sequence[Shard], format: Format, rows_per_unit: int) -> Iterator[WorkUnit]:
    number = 0
    for shard in shards:
        for piece in format.split(shard, rows_per_unit):
            yield make_unit(number, shard, piece)
            number += 1


def _count_least_rows(batch_rows: int, model_bytes: int) -> int:
    """Return the rows that are worth a unit: fewer of a large model, which takes longer for each."""
    by_work = _LEAST_WORK // max(1, model_bytes)
    fewest = _FEWEST_MINI_BATCHES * batch_rows
    enough = _ENOUGH_MINI_BATCHES * batch_rows
    return min(enough, max(fewest, by_work))


def list_matches(path: str, recursive: bool, cleared: Cleared) -> InputListing:
    """Return the files that a path stands for; see `storage.input_listing`.

    Args:
        path: a file, folder or glob.
        recursive: whether plain folders below a folder are read, too.
        cleared: folders that are known to be no table's.

    Raises:
        InputError: it cannot be listed.
    """
    try:
        return input_listing.list_below_root(path, recursive, cleared)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"source.paths {path}: {error}; install the extra for this kind of storage (s3, gcs)"
        ) from error
    except OSError as error:
        # A disk tells which folder it was.
        where = ""
        if error.filename:
            where = f" at {error.filename}"
        raise InputError(
            f"source.paths {path}: cannot be listed{where}: {error.strerror}; "
            "check the address, credentials and permissions"
        ) from error


def refuse_unwritable_name(url: str) -> None:
    """Refuse a name of bytes that are no text: no record, manifest or store could hold it."""
    # Python keeps such a byte as half a letter, which no encoding has.
    escaped = url.encode(errors="backslashreplace").decode()
    if escaped != url:
        raise InputError(f"{url}: its name is not UTF-8; rename the file")


def refuse_second_names(taken: Sequence[InputFile]) -> None:
    """Refuse a file that has two names among the inputs: its rows would be scored twice.

    Raises:
        InputError: the first such file.
    """
    # By numbers of 64 bits, as there may be a million files; of two that are one they are the same.
    numbers = {hash((file.identity, file.version)) for file in taken}
    if len(numbers) == len(taken):
        return
    urls: dict[tuple[str, str], str] = {}
    for file in taken:
        # With the version, as some mounts give two files of two disks one number.
        same = (file.identity, file.version)
        first = urls.setdefault(same, file.url)
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
            place, _, _ = place.rpartition("/")
    return places


def say_why(path: str, left_out: Sequence[str]) -> str:
    """Return why a path matches nothing, or what there is in its folder.

    Args:
        path: the path.
        left_out: what it stands for and rules leave out.
    """
    if left_out:
        # It may be no UTF-8, as long as nobody reads it.
        first = to_printable(left_out[0])
        return (
            f" but {len(left_out):,} that are left out, {first} first: names that begin "
            "with _ or ., or end with .crc; name such a file in full to read it"
        )
    place = path.rstrip("/")
    folder, _, name = place.rpartition("/")
    names = files.list_names(folder or ".")
    if not names:
        return "; its folder does not exist or is empty"
    if name in names:
        return "; it is a folder without a file"
    hint = nearest(name, names)
    if hint:
        return hint
    shown = ", ".join(names[:_SHOWN_NAMES])
    return f"; in its folder are {shown}, ..."
