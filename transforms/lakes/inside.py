"""Files that a log names: inside of their table, or where the job allows them to be."""

from collections.abc import Sequence
import re

from configs.errors import InputError
from storage import files

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LOCAL = "file:"
_OTHER_NAMES = frozenset(("", ".", ".."))
# Spark's names of S3 and of Google's store.
_PLAIN_SCHEMES = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}


def place_file(
    table: str,
    path: str,
    outside: Sequence[str],
) -> str:
    """Return where a file is that a log names.

    Args:
        table: the table's folder.
        path: below it, or an address, as the log has it.
        outside: folders where files may be that are not in the table's.

    Raises:
        InputError: it is elsewhere.
    """
    has_scheme = _SCHEME.match(path) is not None
    is_whole = has_scheme or path.startswith("/")
    url = _to_plain(path) if is_whole else f"{table}/{path}"
    below = url.removeprefix("/")
    if not files.is_local(url):
        _, _, below = url.partition("://")
    parts = below.split("/")
    # Each would make another name of a place, and .. leads anywhere; :: is of a chain of addresses.
    is_other_name = not _OTHER_NAMES.isdisjoint(parts)
    is_chain = "::" in url
    if is_other_name or is_chain or "\0" in url:
        raise InputError(
            f"{table}: its log names {path!r}, a path with ::, or with a part that is empty, . or ..; "
            "restore the log"
        )
    for folder in (table, *outside):
        # With one slash behind it: a folder beside it may have a name that begins alike.
        whole = folder.rstrip("/")
        if url.startswith(f"{whole}/"):
            return url
    named = _name_folder(url)
    raise InputError(
        f"{table}: its log names {url}, which is outside of the table; if it shall be read, "
        f"name its folder in source.outside, for example --set 'source.outside=[{named}]'"
    )


def _to_plain(address: str) -> str:
    """Return an address as the program writes it: a local one is a path."""
    if address.startswith(_LOCAL):
        path = address.removeprefix(_LOCAL)
        # With one slash before it, or three.
        return "/" + path.lstrip("/")
    # A path is one already.
    if address.startswith("/"):
        return address
    scheme, _, rest = address.partition("://")
    plain = _PLAIN_SCHEMES.get(scheme, scheme)
    return f"{plain}://{rest}"


def _name_folder(url: str) -> str:
    folder, _, _ = url.rpartition("/")
    return folder or url


def find_root(url: str) -> str:
    """Return a table's folder as an absolute path or URL, without a slash behind."""
    plain = _to_plain(url)
    absolute = files.to_absolute(plain)
    return absolute.rstrip("/")
