"""What a run is compared with before it is published, frozen when it is launched: one Parquet file.

Its rows are those of a profile, none where there is nothing to compare with; its schema's metadata
tells where they come from. A copy stands beside the run's own profile, so that a run explains itself.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
import json
from typing import Any, Literal, TypeAlias

import pyarrow as pa
from pyarrow import Table

from transforms.output.encoded_table import encode_table
from transforms.summaries.profile_schema import SCHEMA
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
    head = json.dumps(asdict(reference.head))
    table = reference.profile.cast(SCHEMA).replace_schema_metadata({_KEY: head.encode()})
    return encode_table(table)


def decode_reference(content: bytes) -> ComparedReference:
    """Return what `encode_reference` made bytes of.

    Raises:
        ValueError: it made none of them.
    """
    try:
        table = decode_table(content)
        told: dict[str, Any] = json.loads((table.schema.metadata or {})[_KEY])
        # JSON has lists alone.
        head = ReferenceHead(**{**told, **{name: tuple(told[name]) for name in _LISTS}})
        return ComparedReference(head, table.cast(SCHEMA))
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        kind = type(error).__name__
        raise ValueError(f"is no reference: {kind}") from error


def make_empty_profile() -> Table:
    """Return a profile of nothing."""
    return SCHEMA.empty_table()


def join_words(words: Sequence[str], most: int = 3) -> str:
    """Return the first of some words, and how many others there are.

    >>> join_words(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    shown = ", ".join(words[:most])
    left = len(words) - most
    return f"{shown} and {left} more" if left > 0 else shown
