"""Every path that a pattern stands for, each with one answer: read, left out by a rule, or refused.

Folders are listed level by level, on a disk and on a store alike, so the same rules hold. Below the
root of the pattern:

    x.parquet            read, if the pattern names it or its folder
    _x, .x, x.crc ...    left out, and said; so is all below such a folder
    dt=2026-01-01/       a partition: what is in it is read like what is beside it
    scored/              beside a run's manifest, too: its scored rows
    late/                refused when it holds files that the pattern does not name, or read with
                         `recursive`
    link -> folder       refused, as a link that leads nowhere is; a link to a file is read
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
import errno
from functools import partial
import os
import stat
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from configs.errors import InputError
from storage.disk_listing import list_disk_folder
from storage.few_ahead import map_few_ahead
from storage.listed import Entries, Info
from storage.listed_paths import Listing
from storage.listing_rules import find_rule, is_partition
from storage.object_stores import is_object_store, is_s3, locate
from storage.output_names import is_report, is_scored_folder
from storage.patterns import Pattern, Places, is_wild, split_pattern
from storage.s3_listing import list_s3_folder

# A store answers in tens of milliseconds.
_THREADS = 8
# The first two in fsspec's words.
_FILE = "file"
_FOLDER = "directory"
_LINK = "link"
_OTHER = "other"
_NO_SUCH = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


@dataclass(frozen=True)
class _Folder:
    """A folder to look into.

    Attributes:
        places: what of the pattern may come next in it.
        is_named: the pattern names it, or one above it, so all in it is under the pattern.
        unasked: the folder, it or one above it, that nobody asked to read.
    """

    path: str
    places: Places
    is_named: bool = False
    unasked: str | None = None


def locate_pattern(pattern: str) -> tuple[Any, str]:
    """Return file system and path of a pattern, in the one spelling that it has.

    Else a file could be read twice, under two names.

    Raises:
        InputError: a part says `..` where nobody knows which folder is meant.
    """
    fs, path = locate(pattern)
    if isinstance(fs, LocalFileSystem):
        return fs, _resolve_dots(path)
    # A web server's paths are whole URLs.
    _, _, below_scheme = path.rpartition("://")
    parts = below_scheme.strip("/").split("/")
    # Of a store `a//b` is another key than `a/b`, but elsewhere it is the same file.
    odd = {".", ".."} if is_object_store(fs) else {".", "..", ""}
    if not odd.isdisjoint(parts[:-1]):
        raise InputError(
            f"source.paths {pattern}: holds a part that is ., .. or empty, by which one file has "
            "two names; write the path without"
        )
    return fs, path


def list_paths(fs: Any, path: str, recursive: bool) -> Listing:
    """Return what a path, a folder or a pattern stands for.

    Args:
        fs, path: as `locate_pattern` gives them.
        recursive: whether plain folders below a folder are read, too.

    Raises:
        InputError: something under the pattern can be neither read nor left out.
        OSError: a folder cannot be listed.
    """
    _refuse_unprintable(path)
    kind = _find_kind(fs, path)
    if kind == _FILE:
        # Whatever it is called: a file that is named is wanted.
        folder, _, _ = path.rpartition("/")
        info = fs.info(path)
        listing = Listing(folder)
        listing.take(info)
        return listing
    if kind == _FOLDER:
        # Not as a pattern: its own name may hold a bracket.
        root = Pattern(path.rstrip("/"))
        return _walk(fs, root, is_named=True, recursive=recursive)
    if kind is not None:
        raise _no_data(path)
    if not is_wild(path):
        return Listing(path)
    pattern = split_pattern(path)
    return _walk(fs, pattern, is_named=False, recursive=recursive)


def to_printable(path: str) -> str:
    """Return a path of a disk with signs in place of bytes that are no UTF-8."""
    return path.encode(errors="surrogateescape").decode(errors="replace")


def _walk(
    fs: Any,
    pattern: Pattern,
    is_named: bool,
    recursive: bool,
) -> Listing:
    listing = Listing(pattern.root)
    level = [_Folder(pattern.root, pattern.start, is_named)]
    while level:
        below: list[_Folder] = []
        listed = _list_folders(fs, level)
        for folder, entries in zip(level, listed, strict=True):
            listing.names[folder.path] = entries.names
            for info in entries.infos:
                found = _judge(fs, pattern, folder, info, recursive, listing)
                if found is not None:
                    below.append(found)
        level = below
    return listing


def _judge(
    fs: Any,
    pattern: Pattern,
    folder: _Folder,
    info: Info,
    recursive: bool,
    listing: Listing,
) -> _Folder | None:
    """Put one path into the listing, or return the folder to look into.

    Args:
        fs: the file system.
        pattern: the pattern.
        folder: the folder that it is in.
        info: what the file system says of it.
        recursive: as for `list_paths`.
        listing: where it goes.

    Raises:
        InputError: it can be neither read nor left out.
    """
    name = _get_name(info)
    places = pattern.advance(folder.places, name)
    is_complete = pattern.is_complete(places)
    is_named = folder.is_named or is_complete
    # The pattern neither names it nor leads through it.
    if not is_named and not places:
        return None
    kind = _find_kind_below(fs, info)
    # What the pattern would lead through, were it a folder.
    if not is_named and kind in (_FILE, _OTHER):
        return None
    path: str = info["name"].rstrip("/")
    # A run may be the input of another job.
    is_page = is_report(name, listing.names[folder.path])
    if is_page or find_rule(name, is_folder=kind != _FILE):
        listing.left_out.append(path)
        return None
    _refuse_unprintable(path)
    if kind == _FOLDER:
        unasked = folder.unasked
        is_asked = not is_named or recursive or _belongs(name, listing.names[folder.path])
        if not unasked and not is_asked:
            unasked = path
        return _Folder(path, places, is_named, unasked)
    if kind != _FILE:
        raise _no_data(path)
    # One that the pattern itself names is asked for, wherever it is.
    if folder.unasked and not is_complete:
        raise _not_asked_for(folder.unasked)
    listing.take(info)
    return None


def _belongs(name: str, names: Sequence[str]) -> bool:
    """Tell whether a folder holds the rows of the one that it is in.

    Args:
        name: its name.
        names: what there is beside it.
    """
    return is_partition(name) or is_scored_folder(name, names)


def _list_folders(fs: Any, folders: Sequence[_Folder]) -> Iterator[Entries]:
    """Yield what is in each folder; several of a store at a time."""
    paths = [folder.path for folder in folders]
    if isinstance(fs, LocalFileSystem) or len(paths) == 1:
        yield from (_list_folder(fs, path) for path in paths)
        return
    yield from map_few_ahead(partial(_list_folder, fs), paths, _THREADS)


def _list_folder(fs: Any, path: str) -> Entries:
    try:
        if isinstance(fs, LocalFileSystem):
            # The root of a disk is no text.
            return list_disk_folder(path or "/")
        found = _list_store(fs, path)
    # A pattern may begin where nothing is; and a folder may be removed after its own was listed,
    # which is as if it had been removed before.
    except (FileNotFoundError, NotADirectoryError):
        return Entries([], iter(()))
    names = [_get_name(info) for info in _leave_out_itself(found, path)]
    in_order = sorted(names)
    infos = _leave_out_itself(found, path)
    # Nearly always they come so, and need not be in memory all at once.
    if names != in_order:
        infos = iter(sorted(infos, key=_get_name))
    return Entries(in_order, infos)


def _leave_out_itself(found: Iterable[Info], path: str) -> Iterator[Info]:
    """Yield what is in a folder: a store may keep an object of the folder's own name."""
    for info in found:
        if info["name"].rstrip("/") != path:
            yield info


def _list_store(fs: Any, path: str) -> Iterable[Info]:
    # Of a bucket; which buckets there are is told otherwise.
    if path and is_s3(fs):
        return list_s3_folder(fs, path)
    found: list[Info] = fs.ls(path or "/", detail=True)
    return found


def _get_name(info: Info) -> str:
    path: str = info["name"]
    return path.rstrip("/").rpartition("/")[2]


def _find_kind_below(fs: Any, info: Info) -> str:
    """Return `file`, `directory`, `link` of one that leads to no file, or `other`."""
    kind: str = info["type"]
    # Only a disk has links.
    if not isinstance(fs, LocalFileSystem):
        return kind
    if not info["islink"]:
        return kind
    if os.path.isfile(info["name"]):
        return _FILE
    return _LINK


def _find_kind(fs: Any, path: str) -> str | None:
    """Return `file`, `directory`, or what else it is; None where there is nothing."""
    try:
        if isinstance(fs, LocalFileSystem):
            return _find_local_kind(path)
        # Not by `isfile` and `isdir` of a store's client: they take a refusal for an absence.
        kind: str = fs.info(path)["type"]
    except OSError as error:
        if isinstance(error, FileNotFoundError) or error.errno in _NO_SUCH:
            return None
        raise
    return kind


def _find_local_kind(path: str) -> str:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        # Only the name of a link is there when it leads nowhere.
        if os.path.islink(path):
            return _LINK
        raise
    if stat.S_ISREG(mode):
        return _FILE
    if stat.S_ISDIR(mode):
        return _FOLDER
    return _OTHER


def _resolve_dots(path: str) -> str:
    """Return a local path without `//`, `.` and `..`, which leads where the system would go.

    >>> _resolve_dots("/proc//./self/../*.x")
    '/proc/*.x'
    >>> _resolve_dots("/proc/self/cwd/../x") == os.path.join(os.path.dirname(os.getcwd()), "x")
    True
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    ups = [place for place, part in enumerate(parts) if part == ".."]
    if not ups:
        whole = "/".join(parts)
        return f"/{whole}"
    behind = ups[-1] + 1
    upper = "/".join(parts[:behind])
    above = f"/{upper}"
    if is_wild(above) and not os.path.exists(above):
        raise InputError(
            f"source.paths {path}: has .. behind a wildcard; write the path without .."
        )
    # Behind a link, `..` is above the place that it leads to; else what is written is kept.
    as_written = os.path.normpath(above)
    place = os.path.realpath(above)
    if os.path.realpath(as_written) == place:
        place = as_written
    return os.path.join(place, *parts[behind:])


def _no_data(path: str) -> InputError:
    what = "is neither a file nor a folder"
    if os.path.isdir(path):
        leads_to = os.path.realpath(path)
        what = f"is a link to the folder {leads_to}, which is not followed"
    elif os.path.islink(path):
        what = "is a link that leads nowhere"
    return InputError(
        f"{path}: {what}; take it out of the input, or name in source.paths what shall be read"
    )


def _refuse_unprintable(path: str) -> None:
    """Refuse a name of a disk that is not UTF-8: no log, manifest or scored row could hold it."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{to_printable(path)}: has a name that is not UTF-8; rename it"
        ) from error


def _not_asked_for(folder: str) -> InputError:
    return InputError(
        f"{folder}: is a folder with files, below a folder or under a pattern of source.paths that "
        "does not name them; set source.recursive=true to read them, name it in source.paths, or "
        "move it away"
    )
