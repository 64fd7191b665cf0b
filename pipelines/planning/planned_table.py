"""What a plan knows of the table that its input files are of."""

from dataclasses import dataclass
from typing import Any

from storage.input_file import InputFile
from transforms.lakes.snapshot import Snapshot, encode_files


@dataclass(frozen=True)
class PlannedTable:
    """The snapshot that a run reads, and its data files as they are."""

    snapshot: Snapshot
    files: tuple[InputFile, ...]

    def describe(self) -> dict[str, Any]:
        """Return what manifest, plan and the run's id say of it."""
        return self.snapshot.describe()

    def encode(self) -> bytes:
        """Return what the log says of each data file, as workers read it."""
        return encode_files(self.snapshot.files)
