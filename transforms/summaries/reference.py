"""What training left of its columns and scores (`profile.parquet` of a package), as what a run counts by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from transforms.summaries.known import Known, Measure
from transforms.summaries.numbers import CutPoints
from transforms.summaries.summary import Kind, decode_table

# As a profile of training names them, and as a run does.
_KINDS: dict[str, Kind] = {"feature": "input", "score": "score"}
# Of binary values training measured the lengths alone.
_MEASURED_BY_LENGTH = ("binary", "large_binary")
Place: TypeAlias = tuple[Kind, str, Measure]
_NOTHING_KNOWN = Known()


@dataclass(frozen=True)
class Reference:
    """What is known of columns before the run, by kind, name and measure; nothing of all others."""

    known: Mapping[Place, Known]

    def find(self, kind: Kind, name: str, measure: Measure) -> Known:
        """Return what is known of one measure of a column."""
        return self.known.get((kind, name, measure), _NOTHING_KNOWN)


NO_REFERENCE = Reference({})


def read_training_profile(content: bytes) -> Reference:
    """Return what a package's profile says.

    Args:
        content: the file's.

    Raises:
        ValueError: it is no such file.
    """
    try:
        table = decode_table(content)
        records = table.to_pylist()
        known = dict(_read_record(record) for record in records)
    except (pa.ArrowException, OSError, KeyError, TypeError) as error:
        kind = type(error).__name__
        raise ValueError(f"is no profile of training: {kind}") from error
    return Reference(known)


def find_training_place(record: Mapping[str, Any]) -> Place:
    """Return what a record of a package's profile is of, in the words of a run's."""
    kind = _KINDS[record["kind"]]
    measure: Measure = "value"
    if record["type"] in _MEASURED_BY_LENGTH:
        measure = "length"
    return kind, record["column"], measure


def find_training_points(record: Mapping[str, Any]) -> list[float]:
    """Return what the numbers of a record of a package's profile are counted by, ascending."""
    points: list[float] | None = record.get("cut_points")
    # Packages of older versions have quantiles alone; the same number twice would cut off nothing.
    return points or sorted(set(record["quantiles"]))


def _read_record(record: Mapping[str, Any]) -> tuple[Place, Known]:
    place = find_training_place(record)
    return place, Known(_read_cuts(record), _read_values(record))


def _read_cuts(record: Mapping[str, Any]) -> CutPoints | None:
    if not record["quantiles"]:
        return None
    points = find_training_points(record)
    return CutPoints(record["min"], record["max"], tuple(points))


def _read_values(record: Mapping[str, Any]) -> frozenset[str] | None:
    values = record["values"]
    # Only the most frequent ones are there of many: of any other nobody knows whether it is new.
    if values is None or len(values) != record["distinct"]:
        return None
    return frozenset(value["value"] for value in values)
