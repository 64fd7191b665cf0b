"""Files of a table that has a log are refused: without the log nobody knows which of them count.

Delta, Hudi and Iceberg leave the files of older versions where they are, beside today's. So does an
output of this program, of which CURRENT tells the run.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from configs.errors import InputError
from storage.listed_paths import Listing
from storage.listing_rules import ICEBERG_FILE, ICEBERG_FOLDER, TABLE_LOGS
from storage.output_names import holds_runs

_THREADS = 8
# Folders that are no table's, by the kind of their file system.
Cleared = set[tuple[str, str]]


def refuse_tables(fs: Any, listing: Listing, cleared: Cleared) -> None:
    """Refuse files of such a table, whichever of its folders the pattern begins in.

    Args:
        fs: the file system.
        listing: what there is under the pattern.
        cleared: folders that need not be asked about again; those that were are added.

    Raises:
        InputError: the first such table or output, and where its log is.
    """
    kind = type(fs).__name__
    for folder in sorted(_list_folders_of(listing)):
        names = listing.names.get(folder)
        if names is not None:
            _refuse_output(folder, names)
            _refuse_table(fs, folder, names)
        # Above the root of the pattern, or beside a file that is named.
        elif (kind, folder) not in cleared:
            _refuse_table(fs, folder, _find_names(fs, folder))
            cleared.add((kind, folder))


def _refuse_output(folder: str, names: Sequence[str]) -> None:
    # Not above the root: whoever begins in one of its runs has chosen that.
    if holds_runs(names):
        raise InputError(
            f"{folder}: is an output of this program, with the scores of several runs; "
            f"name the files of one run in source.paths, those below {folder}/runs"
        )


def _refuse_table(fs: Any, folder: str, names: Sequence[str]) -> None:
    for name in names:
        table = _name_table(fs, folder, name)
        if table is not None:
            raise InputError(
                f"{folder}: is {table} table, whose log {folder}/{name} alone tells which of its "
                f"files are of today's version; {_describe_way_out(folder, name)}"
            )


def _describe_way_out(folder: str, name: str) -> str:
    if name == ICEBERG_FOLDER:
        return (
            "set source.format=iceberg and name its newest metadata/....metadata.json, or the table "
            "and its source.catalog"
        )
    if TABLE_LOGS[name] == "Delta":
        return f"set source.format=delta and name {folder}"
    return "write today's rows to files of their own, and score those"


def _list_folders_of(listing: Listing) -> set[str]:
    """Return the folders that the taken files are in, and all above them."""
    folders: set[str] = set()
    for folder in listing.folders:
        # Once a folder is known, those above it are. A web server's paths are whole URLs.
        while folder not in folders and not folder.endswith("/"):
            folders.add(folder)
            folder, _, _ = folder.rpartition("/")
    # A store's first part is the bucket, and "" the root of a disk.
    return folders - {""}


def _find_names(fs: Any, folder: str) -> list[str]:
    """Return which of the names that tell a table are in a folder that was not listed."""
    # Asked for one by one: a folder far above may hold very much.
    names = [*TABLE_LOGS, ICEBERG_FOLDER]
    is_in_folder = partial(_is_in, fs, folder)
    if isinstance(fs, LocalFileSystem):
        return list(filter(is_in_folder, names))
    with ThreadPoolExecutor(_THREADS) as pool:
        are_there = pool.map(is_in_folder, names)
        found = zip(names, are_there, strict=True)
        return [name for name, is_there in found if is_there]


def _is_in(fs: Any, folder: str, name: str) -> bool:
    path = f"{folder}/{name}"
    try:
        return bool(fs.exists(path))
    # Of a bucket one may be allowed to see nothing but the input.
    except PermissionError:
        return False


def _name_table(fs: Any, folder: str, name: str) -> str | None:
    if name in TABLE_LOGS:
        return f"a {TABLE_LOGS[name]}"
    if name != ICEBERG_FOLDER:
        return None
    iceberg_files = _list_iceberg_files(fs, f"{folder}/{name}")
    if any(iceberg_files):
        return "an Iceberg"
    return None


def _list_iceberg_files(fs: Any, folder: str) -> Iterator[str]:
    try:
        paths: list[str] = fs.ls(folder, detail=False)
    # It was only named like that, and is a file.
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from (path for path in paths if path.endswith(ICEBERG_FILE))
