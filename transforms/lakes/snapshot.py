"""What a table with a log says of itself at one moment: its columns, its data files, and their deleted rows.

Whoever reads a log (`delta.py`, `iceberg.py`) gives a `Snapshot`; whoever reads the data files
(`transforms/formats/table_files.py`) knows nothing of logs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
import hashlib
import json
from typing import Any

from pyarrow import DataType

from transforms.bounds import Bounds

# Of a digest: among a million files two alike are not met.
_DIGITS = 16


@dataclass(frozen=True)
class TableColumn:
    """A column of a table.

    Attributes:
        name: what the table calls it.
        type: None where no Arrow type is it; why is in `kind`.
        kind: the table's own word for its type.
        stored_name: what its data files call it.
        field_id: its number in data files; None where they know it by name.
        names: what data files without numbers call it.
        is_widened: whether it had a narrower type once.
    """

    name: str
    type: DataType | None
    kind: str
    stored_name: str
    field_id: int | None = None
    names: tuple[str, ...] = ()
    is_widened: bool = False


@dataclass(frozen=True)
class Deletions:
    """Where the deleted rows of a data file are told.

    Attributes:
        kind: how they are written, see `deleted_rows.py`.
        url: the file; nothing where the log itself holds them.
        offset, bytes: where in it.
        inline: them, where the log holds them.
        rows: how many, as the log says; None where it does not.
    """

    kind: str
    url: str = ""
    offset: int = 0
    bytes: int = 0
    inline: str = ""
    rows: int | None = None


@dataclass(frozen=True)
class DataFile:
    """A data file of a snapshot.

    Attributes:
        url: the file.
        values: by column, what the log says of all its rows: texts, None for null.
        deletions: where its deleted rows are told.
        bounds: by column, what the log tells of the values of its rows; workers need none.
    """

    url: str
    values: Mapping[str, str | None]
    deletions: tuple[Deletions, ...] = ()
    bounds: Mapping[str, Bounds] = field(default_factory=dict, compare=False)

    def digest(self, columns: Sequence[TableColumn]) -> str:
        """Return what tells two readings of the same file apart.

        Args:
            columns: those that are read.
        """
        names = {}
        for column in columns:
            names[column.name] = [column.stored_name, column.field_id]
        values = {name: self.values[name] for name in self.values if name in names}
        deletions = [asdict(told) for told in self.deletions]
        # Part of the names of runs: what is digested, and in which form, stays.
        told_of_rows = [names, values, deletions]
        text = json.dumps(told_of_rows, sort_keys=True)
        content = text.encode()
        digest = hashlib.sha256(content)
        return digest.hexdigest()[:_DIGITS]


@dataclass(frozen=True)
class Snapshot:
    """A table as it was at one moment.

    Attributes:
        kind: `delta` or `iceberg`.
        url: the table.
        version: the log's number of it.
        columns: all of them, in the table's order.
        files: its data files.
        pruned: how many others there are, of which no row can pass the job's filter.
    """

    kind: str
    url: str
    version: int
    columns: tuple[TableColumn, ...]
    files: tuple[DataFile, ...]
    pruned: int = 0

    def describe(self) -> dict[str, Any]:
        """Return what manifest, plan and the run's id say of it."""
        return {"format": self.kind, "url": self.url, "version": self.version}


def encode_files(found: Sequence[DataFile]) -> bytes:
    """Return what the log says of data files, as JSON for workers."""
    entries = []
    for file in found:
        deletions = [asdict(told) for told in file.deletions]
        # Without bounds: what they rule out was left out when the run was planned.
        entry = {
            "url": file.url,
            "values": file.values,
            "deletions": deletions,
        }
        entries.append(entry)
    text = json.dumps(entries, separators=(",", ":"))
    return text.encode()


def decode_files(content: bytes) -> dict[str, DataFile]:
    """Return by URL what `encode_files` has kept of data files."""
    found = {}
    for entry in json.loads(content):
        deletions = []
        for told in entry["deletions"]:
            deletion = Deletions(**told)
            deletions.append(deletion)
        url = entry["url"]
        values = entry["values"]
        found[url] = DataFile(url, values, tuple(deletions))
    return found
