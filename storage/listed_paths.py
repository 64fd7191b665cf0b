"""What there is under a pattern."""

from dataclasses import dataclass, field

from storage.listed import Info
from storage.packed import Packing


@dataclass
class Listing:
    """What there is under a pattern; paths are those of the file system.

    Attributes:
        root: the folder in which the pattern begins.
        taken: what the file system says of each file that is read; see `take`.
        folders: those that such files are in.
        left_out: paths that rules left out.
        names: what each folder that was looked into holds.
    """

    root: str
    taken: Packing[Info] = field(default_factory=Packing)
    folders: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)

    def take(self, info: Info) -> None:
        """Add a file that is read."""
        self.taken.append(info)
        folder, _, _ = info["name"].rpartition("/")
        self.folders.add(folder)
