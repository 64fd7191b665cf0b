"""What there is to read under a pattern, as most tests ask for it."""

from collections.abc import Sequence

from storage.input_file import InputFile
from storage.input_listing import list_below_root


def list_inputs(pattern: str, recursive: bool = False) -> tuple[Sequence[InputFile], list[str]]:
    """Return the files, and the URLs that were left out, as `list_below_root`, without its root."""
    listing = list_below_root(pattern, recursive)
    return listing.taken, listing.left_out
