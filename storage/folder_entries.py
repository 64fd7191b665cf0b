"""What stands in one folder, with size and time: of the logs that tables keep."""

from dataclasses import dataclass
from typing import Any

from storage.client_errors import plain_errors
from storage.object_stores import locate
from storage.retries import retried

# By what stores call the time of the last change, the best first.
_TIMES = ("mtime", "LastModified", "updated", "last_modified", "created")


@dataclass(frozen=True)
class Entry:
    """A file in a folder.

    Attributes:
        name: in the folder.
        seconds: time of its last change, since 1970.
    """

    name: str
    bytes: int
    seconds: float


@retried
@plain_errors()
def list_entries(folder: str) -> list[Entry]:
    """Return the files in a folder, sorted by name; none where there is no such folder.

    Raises:
        OSError: it cannot be listed.
    """
    fs, path = locate(folder)
    try:
        found = fs.ls(path, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    entries = []
    for info in found:
        if info["type"] != "file":
            continue
        name = info["name"].rsplit("/", 1)[-1]
        entry = Entry(name, int(info["size"] or 0), _find_seconds(info))
        entries.append(entry)
    return sorted(entries, key=lambda entry: entry.name)


def _find_seconds(info: dict[str, Any]) -> float:
    for key in _TIMES:
        value = info.get(key)
        if value is None:
            continue
        # Some clients give texts, which say what they would as a number only to them.
        if hasattr(value, "timestamp"):
            return float(value.timestamp())
        if isinstance(value, int | float):
            return float(value)
    return 0.0
