"""Folders that are read as one table, a row for each file: which files those are."""

from collections.abc import Mapping, Sequence
from typing import Any

from configs.errors import InputError
from pipelines.planning.shards import Listed, list_matches, refuse_unwritable_name, say_why
from storage import files
from storage.input_file import InputFile, make_folder
from storage.table_logs import Cleared


def list_folders(
    paths: Sequence[str],
    recursive: bool,
    options: Mapping[str, Any],
) -> Listed:
    """Return each root with its files, sorted by URL, and the URLs that were left out.

    Args:
        paths: files, folders and globs.
        recursive: whether plain folders below a folder are read, too.
        options: the section `source.files`.

    Raises:
        InputError: a path that matches nothing, something that can be neither read nor left out, or
            a file whose name is not UTF-8.
    """
    suffixes = options["suffixes"] or ()
    endings = tuple(suffix.casefold() for suffix in suffixes)
    taken: dict[str, list[InputFile]] = {}
    ignored: list[str] = []
    seen: set[str] = set()
    cleared: Cleared = set()
    for path in paths:
        matches, left_out, root = list_matches(path, recursive, cleared)
        wanted, others = _choose(path, matches, endings)
        if not wanted:
            raise _no_match(path, others, left_out, endings)
        ignored += left_out
        ignored += others
        for file in wanted:
            refuse_unwritable_name(file.url)
            # Paths may overlap, and a row must not be scored twice.
            if file.url in seen:
                continue
            seen.add(file.url)
            members = taken.setdefault(root, [])
            members.append(file)

    folders = []
    for root, members in taken.items():
        members.sort()
        folder = make_folder(root, members)
        folders.append(folder)
    folders.sort()
    # One path may leave out what another one names.
    left_out_of_all = sorted(set(ignored) - seen)
    return Listed(folders, left_out_of_all)


def _choose(
    path: str,
    matches: Sequence[InputFile],
    endings: tuple[str, ...],
) -> tuple[list[InputFile], list[str]]:
    """Return the files that are read, and the URLs of those that end otherwise."""
    named = files.to_absolute(path)
    wanted = []
    others = []
    for file in matches:
        # A file that is named by itself is meant, however it ends.
        url = file.url
        is_named = url == named
        if is_named or _ends_with(url, endings):
            wanted.append(file)
        else:
            others.append(url)
    return wanted, others


def _ends_with(url: str, endings: tuple[str, ...]) -> bool:
    # Without endings every file is wanted.
    if not endings:
        return True
    folded = url.casefold()
    return folded.endswith(endings)


def _no_match(
    path: str,
    others: Sequence[str],
    left_out: Sequence[str],
    endings: tuple[str, ...],
) -> InputError:
    if not others:
        reason = say_why(path, left_out)
        return InputError(f"source.paths {path}: matches no file{reason}")
    count = len(others)
    listed = ", ".join(endings)
    return InputError(
        f"source.paths {path}: matches no file but {count:,} that end otherwise than in "
        f"{listed}, {others[0]} first; name the endings in source.files.suffixes"
    )
