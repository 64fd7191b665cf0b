"""The actions of a Delta log: a line of JSON each, checked as far as they are used.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md#actions
"""

from collections.abc import Iterator, Mapping
import json
from typing import Any, TypeAlias
from urllib.parse import unquote

from configs.errors import InputError
from storage import files

Action: TypeAlias = Mapping[str, Any]
STATISTICS = "stats"
# Not read: of a log with many files these are most.
LEFT_OUT = ("stats_parsed", "tags", "partitionValues_parsed")
# A line of an action with many columns' statistics has some hundred kB.
_MOST_LINE_BYTES = 16 << 20
_MOST_COMMIT_BYTES = 1 << 30
_PIECE_BYTES = 1 << 20
# Actions that are read, and what in each is an object, too.
_OBJECTS = {
    "protocol": "",
    "metaData": "configuration",
    "add": "partitionValues",
    "remove": "deletionVector",
    "commitInfo": "",
    "sidecar": "",
}
_MOST_LETTERS = 80


def name_file(action: Action) -> tuple[str, str]:
    """Return what an action is about: a file with the very rows that it says are deleted.

    Raises:
        KeyError, TypeError: it is not built as the protocol says.
    """
    given = action["path"]
    if not isinstance(given, str):
        raise TypeError("path")
    # Writers escape other letters, and one may remove what another has added.
    path = unquote(given)
    vector = action.get("deletionVector")
    if not vector:
        return path, ""
    kind = vector["storageType"]
    place = vector["pathOrInlineDv"]
    offset = vector.get("offset") or 0
    return path, f"{kind}{place}@{offset}"


def read_actions(
    url: str,
    size_bytes: int,
    with_statistics: bool = False,
) -> Iterator[Action]:
    """Yield the actions of a file of JSON lines.

    Args:
        url: the file.
        size_bytes: its size, as its folder's listing says.
        with_statistics: whether what is told of data files' values is kept.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    if size_bytes > _MOST_COMMIT_BYTES:
        raise InputError(
            f"{url}: has {size_bytes:,} bytes, more than a commit of {_MOST_COMMIT_BYTES:,}; "
            "write a checkpoint, and read the version of that"
        )
    left_out = LEFT_OUT if with_statistics else (*LEFT_OUT, STATISTICS)
    number = 0
    try:
        with files.open_read(url) as source:
            for line in _read_lines(source):
                number += 1
                if len(line) > _MOST_LINE_BYTES:
                    raise ValueError(f"it has more than {_MOST_LINE_BYTES:,} bytes")
                if line.strip():
                    yield _parse_action(line, left_out)
    except OSError as error:
        raise InputError(
            f"{url}: cannot be read: {error.strerror or error}; "
            "read a version that the log still has, or look at the permissions"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = _explain(error)
        raise InputError(
            f"{url}: line {number} is no action of a Delta log: {reason}; restore the log"
        ) from error


def _read_lines(source: Any) -> Iterator[bytes]:
    """Yield the lines of a file; of one that is too long, no more than tells so."""
    begun = b""
    # A file of a store knows no lines.
    while piece := source.read(_PIECE_BYTES):
        *lines, begun = (begun + piece).split(b"\n")
        yield from lines
        if len(begun) > _MOST_LINE_BYTES:
            break
    yield begun


def _explain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if not isinstance(error, ValueError):
        return "it is not built as the protocol says"
    # Of bytes that are no text the message would hold all.
    return str(error)[:_MOST_LETTERS]


def _parse_action(line: bytes, left_out: tuple[str, ...]) -> Action:
    action = json.loads(line)
    if not isinstance(action, dict):
        raise ValueError("it is no object")
    # Here, so that what is not built as it must be is told with its line.
    for name, inner in _OBJECTS.items():
        given = action.get(name)
        if given is None:
            continue
        if not isinstance(given.get(inner) or {}, dict):
            raise TypeError(inner)
        for key in left_out:
            given.pop(key, None)
        if name in ("add", "remove"):
            name_file(given)
    return action
