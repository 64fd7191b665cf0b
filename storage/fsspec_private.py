"""What fsspec keeps to itself and this program needs: its changes break nothing but this."""

from fsspec.implementations.local import LocalFileSystem


def to_local_path(fs: LocalFileSystem, url: str) -> str:
    """Return the absolute path that a local file system takes a path for, `~` and `..` resolved.

    Args:
        fs: the file system.
        url: the path.
    """
    # fsspec's public ways to it read a name with `::` as a chain of file systems. If the method
    # goes, every local path fails with an AttributeError, at once.
    path: str = fs._strip_protocol(url)
    return path
