"""A shard that cannot be read, not to its end or not as it was planned, in a run whose job allows some."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

# Where a shard broke: before anything was scored, or while its rows were read.
BrokenStage: TypeAlias = Literal["plan", "read"]
# As a plan, a done-record and a manifest hold it.
Fields: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class BrokenShard:
    """What is known of a shard that is lost, all of it or some of its rows; it may break several times.

    Attributes:
        shard: path or URL of the input file.
        stage: where it broke.
        row: number of the first row that is lost.
        rows: how many are, each with a record of its own; None where nobody knows.
        message: why, in one line.
        version: what the file looked like, of one that was left out of the plan; all others stand
            there among the inputs.
    """

    shard: str
    stage: BrokenStage
    row: int
    rows: int | None
    message: str
    version: str = ""

    def describe(self) -> Fields:
        """Return it as plain values, as manifests hold it."""
        fields: Fields = {
            "url": self.shard,
            "stage": self.stage,
            "row": self.row,
            "rows": self.rows,
            "message": self.message,
        }
        if self.version:
            fields["version"] = self.version
        return fields


def parse_broken(fields: Fields) -> BrokenShard:
    """Return what `BrokenShard.describe` has described."""
    others = {name: value for name, value in fields.items() if name != "url"}
    return BrokenShard(shard=fields["url"], **others)
