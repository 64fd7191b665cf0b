"""Which input files are not what they were when they were scored: by their versions, so no content is read."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

import pyarrow as pa

from configs.errors import RowError
from storage import inputs
from storage.input_version import is_folder_version, is_version_of
from storage.rooted import FileRoot
from storage.rooted_file import RootedFile
from storage.run_folder import FILE_LIST, RunFolder
from transforms.formats.file_list import FileList

Manifest: TypeAlias = Mapping[str, Any]
# A store answers in tens of milliseconds.
_THREADS = 8


def find_changed_inputs(manifest: Manifest) -> Iterator[str]:
    """Yield, in words, every input file that is not what it was when it was scored.

    By its version, and not by its content: to hash a Parquet file while it is scored takes nearly as
    long as to decode it, and a version holds times that no program sets back.

    Args:
        manifest: the run's.
    """
    urls: list[str] = []
    versions: list[str] = []
    try:
        for entry in manifest["inputs"]:
            # Of a folder, each of its files is looked at by itself.
            if is_folder_version(entry["version"]):
                continue
            urls.append(entry["url"])
            versions.append(entry["version"])
        # And those that were left out: one that was mended can be scored now.
        for entry in manifest.get("broken_shards", ()):
            if "version" in entry:
                urls.append(entry["url"])
                versions.append(entry["version"])
    except (KeyError, TypeError) as error:
        kind = type(error).__name__
        yield f"_manifest.json is not a manifest: {kind}: {error}"
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        problems = pool.map(_find_change, urls, versions)
        yield from (problem for problem in problems if problem is not None)


def find_changed_files(run: RunFolder, manifest: Manifest) -> Iterator[str]:
    """Yield, in words, every file that a row names and that is not what it was when it was scored.

    Args:
        run: the run.
        manifest: its manifest.
    """
    if "listed_files" not in manifest:
        return
    try:
        # As many at a time as there are in a part of the list, which may name millions.
        for root, listed in FileList(run.published_file_list).iterate_files():
            with ThreadPoolExecutor(_THREADS) as pool:
                problems = pool.map(partial(_find_change_below, FileRoot(root)), listed)
                yield from (problem for problem in problems if problem is not None)
    except (OSError, ValueError, pa.ArrowException) as error:
        kind = type(error).__name__
        yield f"{FILE_LIST}: cannot be read: {kind}"


def _find_change_below(root: FileRoot, file: RootedFile) -> str | None:
    place = f"file {root.url}/{file.name}"
    try:
        now = root.describe(file.name)
    except FileNotFoundError:
        return f"{place}: is gone"
    except (OSError, RowError) as error:
        reason = getattr(error, "strerror", None) or error
        return f"{place}: cannot be looked at: {reason}"
    if now.version != file.version:
        return f"{place}: changed since it was scored"
    return None


def _find_change(url: str, version: str) -> str | None:
    try:
        current = inputs.read_version(url)
    except OSError as error:
        return f"input {url}: cannot be looked at: {error.strerror}"
    if current is None:
        return f"input {url}: is gone"
    if not is_version_of(current, version):
        return f"input {url}: changed since it was scored"
    return None
