"""What a table's log says of each data file, as workers read it: from where the launcher has stored it."""

from collections.abc import Mapping
from dataclasses import dataclass

from configs.errors import ChangedError
from storage import files
from transforms.lakes.snapshot import DataFile, decode_files


@dataclass(frozen=True)
class TableFiles:
    """What the log says of each data file: in memory, or, for workers, where it is stored."""

    url: str = ""
    known: Mapping[str, DataFile] | None = None

    def find(self, url: str) -> DataFile:
        """Return what the log says of a data file.

        Raises:
            InputError: it cannot be read.
        """
        known = self.known
        if known is None:
            known = _read_stored(self.url)
        return known[url]


def _read_stored(url: str) -> Mapping[str, DataFile]:
    """Return what is stored; kept, as a worker asks for each unit."""
    known = _STORED.get(url)
    if known is not None:
        return known
    content = files.read(url)
    if content is None:
        raise ChangedError(
            f"{url}: what the table's log said is gone; another run may have published and cleaned "
            "up; start the run again"
        )
    found = decode_files(content)
    # Of one run: a worker has one.
    _STORED.clear()
    _STORED[url] = found
    return found


_STORED: dict[str, Mapping[str, DataFile]] = {}
