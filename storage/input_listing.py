"""The files that a path, a folder or a glob stands for, each as it is at that moment."""

from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from storage.client_errors import plain_errors
from storage.input_file import InputFile
from storage.inputs import describe_file, get_url
from storage.listing import list_paths, locate_pattern
from storage.packed import sort_many
from storage.retries import retried
from storage.table_logs import Cleared, refuse_tables


class InputListing(NamedTuple):
    """Files, the URLs that were left out, and the folder in which the pattern begins."""

    taken: Sequence[InputFile]
    left_out: list[str]
    root: str


@retried
@plain_errors()
def list_below_root(
    pattern: str,
    recursive: bool = False,
    cleared: Cleared | None = None,
) -> InputListing:
    """Return the files that a path, a folder or a glob stands for, and the URLs that were left out.

    See `storage/listing.py` for what is read, left out and refused.

    Args:
        pattern: a path or URL.
        recursive: whether plain folders below a folder are read, too.
        cleared: folders that are known to be no table's, to which others are added; for several
            patterns in turn.

    Raises:
        InputError: something under the pattern can be neither read nor left out.
        OSError: a folder cannot be listed.
    """
    fs, path = locate_pattern(pattern)
    listing = list_paths(fs, path, recursive)
    if cleared is None:
        cleared = set()
    refuse_tables(fs, listing, cleared)
    described = (describe_file(fs, info) for info in listing.taken)
    taken = sort_many(described, key=attrgetter("url"))
    left_out = [get_url(fs, path) for path in listing.left_out]
    root = get_url(fs, listing.root)
    return InputListing(taken, sorted(left_out), root)
