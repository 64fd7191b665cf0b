"""What names and versions may be called, apart from what reads them: a wrong flag is told at once."""

import re

# Without a dot, which is what parts the names of files that are made on the way.
NAME = r"[A-Za-z][A-Za-z0-9_-]{0,99}"
# What stays, as a part of a path or URL, in the folder before it.
VERSION = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


def is_name(text: str) -> bool:
    """Tell whether a version can be called so."""
    return re.fullmatch(NAME, text) is not None


def is_version(text: str) -> bool:
    """Tell whether a version's folder can have that name."""
    return re.fullmatch(VERSION, text) is not None
