"""What a run is compared with before it is published, frozen when it is launched: one Parquet file.

Its rows are those of a profile, none where there is nothing to compare with; its schema's metadata
tells where they come from. A copy stands beside the run's own profile, so that a run explains itself.
"""

from dataclasses import asdict, dataclass
import json
from typing import Any, Literal, TypeAlias

import pyarrow as pa
from pyarrow import Table

from storage.json_pieces import parse_json
from transforms.output.encoded_table import encode_table
from transforms.summaries.profile_schema import SCHEMA, complete_profile
from transforms.summaries.summary import decode_table

ReferenceKind: TypeAlias = Literal["training", "previous", "last", "run", "file", "none"]
_KEY = b"reference"
_LISTS = ("runs", "volumes", "notes")


@dataclass(frozen=True)
class ReferenceHead:
    """Where a reference comes from.

    Attributes:
        asked: what the job says.
        kind: what was found of it; `none` where nothing is there to compare with.
        says: the same for people.
        runs: ids of runs.
        volumes: how many rows each of these runs had, or training, or the file's run.
        notes: what could not be taken, in words.
    """

    asked: str
    kind: ReferenceKind
    says: str
    runs: tuple[str, ...] = ()
    volumes: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ComparedReference:
    """A reference: where it comes from, and its profile."""

    head: ReferenceHead
    profile: Table

    @property
    def rows(self) -> int:
        """Return how many rows the profile is of."""
        counts: list[int] = self.profile.column("rows").to_pylist()
        return max(counts, default=0)


def encode_reference(reference: ComparedReference) -> bytes:
    """Return a reference as the bytes of its file."""
    fields = asdict(reference.head)
    head = json.dumps(fields)
    rows = reference.profile.cast(SCHEMA)
    table = rows.replace_schema_metadata({_KEY: head.encode()})
    return encode_table(table)


def decode_reference(content: bytes) -> ComparedReference:
    """Return what `encode_reference` made bytes of.

    Raises:
        ValueError: it made none of them.
    """
    try:
        table = decode_table(content)
        metadata = table.schema.metadata or {}
        fields: dict[str, Any] = parse_json(metadata[_KEY])
        # JSON has lists alone.
        for name in _LISTS:
            fields[name] = tuple(fields[name])
        head = ReferenceHead(**fields)
        profile = complete_profile(table).cast(SCHEMA)
        return ComparedReference(head, profile)
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        kind = type(error).__name__
        raise ValueError(f"is no reference: {kind}") from error


def make_empty_profile() -> Table:
    """Return a profile of nothing."""
    return SCHEMA.empty_table()
