"""The profile that training left of its columns and scores, as a run's profile has them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
from pyarrow import Table

from model_zoo.evaluation.profile_counts import estimate_counts
from transforms.summaries.profile_schema import SCHEMA
from transforms.summaries.reference import find_training_place, find_training_points
from transforms.summaries.summary import decode_table
from transforms.summaries.values import is_long

_LEVELS = b"quantile_levels"
# Packages of older versions have no counts: where fewer numbers differ, quantiles do not tell how many are
# below a number that many have.
_CONTINUOUS = 0.5
_Record: TypeAlias = dict[str, Any]


def read_training_table(content: bytes, new_names: Mapping[str, str]) -> Table:
    """Return a package's profile as one of a run.

    Args:
        content: the file's.
        new_names: of scores, by the names that training knows.

    Raises:
        ValueError: it is no such file.
    """
    try:
        table = decode_table(content)
        levels = _read_levels(table)
        records: list[_Record] = []
        for record in table.to_pylist():
            records += _convert(record, levels, new_names)
    except (pa.ArrowException, OSError, KeyError, TypeError) as error:
        kind = type(error).__name__
        raise ValueError(f"is no profile of training: {kind}") from error
    return Table.from_pylist(records, schema=SCHEMA)


def _read_levels(table: Table) -> list[float]:
    metadata = table.schema.metadata or {}
    return [float(level) for level in metadata[_LEVELS].decode().split(",")]


def _convert(
    record: Mapping[str, Any],
    levels: Sequence[float],
    new_names: Mapping[str, str],
) -> list[_Record]:
    """Return a record of each measure of a column."""
    kind, column, measure = find_training_place(record)
    if kind == "score":
        column = new_names.get(column, column)
    rows: _Record = {
        "column": column,
        "kind": kind,
        "type": record["type"],
        "rows": record["rows"],
        "missing": record["missing"],
    }
    converted = {**rows, "measure": measure}
    present = record["rows"] - record["missing"]
    if record["quantiles"]:
        converted |= _convert_numbers(record, present, levels)
    if record["values"] is not None:
        converted |= _convert_values(record, present)
    if measure == "value":
        return [converted]
    # Of what is known by its length, rows without a value are told by the value, as in a run's profile.
    of_value = {**rows, "measure": "value"}
    return [of_value, converted]


def _convert_numbers(
    record: Mapping[str, Any],
    present: int,
    levels: Sequence[float],
) -> _Record:
    names = ("mean", "std", "min", "max", "distinct")
    numbers: _Record = {name: record[name] for name in names}
    counts = record.get("counts")
    if counts is not None:
        points = find_training_points(record)
        finite = sum(counts)
        # Of lists there may be more numbers than rows.
        infinite = max(0, present - finite)
        counted = {"numbers": finite, "cut_points": points, "counts": counts}
        return {**numbers, **counted, "infinite": infinite}
    numbers["numbers"] = present
    distinct = record["distinct"]
    # Of lists nobody has counted them; as a rule they hold what was measured.
    if distinct is None or distinct >= _CONTINUOUS * present:
        points, counts = estimate_counts(levels, record["quantiles"], present)
        numbers |= {"cut_points": points, "counts": counts}
    return numbers


def _convert_values(record: Mapping[str, Any], present: int) -> _Record:
    values = record["values"]
    # Runs count long texts, and keep none: beside theirs these would seem to be gone.
    short = [found for found in values if not is_long(found["value"])]
    long = [found["count"] for found in values if is_long(found["value"])]
    return {
        "distinct": record["distinct"],
        "is_whole": len(values) == record["distinct"],
        "with_value": present,
        "values": short,
        "long": sum(long),
    }
