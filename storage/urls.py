"""Paths and URLs as text: no file system is asked."""


def join(folder: str, name: str) -> str:
    """Return the URL of a file below a folder.

    Args:
        folder: a path or URL.
        name: below it, `/` between its parts.
    """
    return f"{folder.rstrip('/')}/{name}"
