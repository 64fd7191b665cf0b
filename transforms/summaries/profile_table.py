"""A profile as a table, and back: one row for each measure of a column.

What people read (mean, std, distinct) stands beside what it is made of (sums that are exact), so that
tables of parts merge to that of the run without rounding.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from pyarrow import Table

from transforms.summaries.column import ColumnState
from transforms.summaries.first_bits import find_bin, find_key
from transforms.summaries.moments import Moments
from transforms.summaries.numbers import Numbers
from transforms.summaries.profile_schema import SCHEMA, complete_profile
from transforms.summaries.reference import Place, Reference
from transforms.summaries.values import Values

# Some of SCHEMA's columns of one row; the others are null.
_Record: TypeAlias = dict[str, Any]
# More than sums of floats have, and fewer than take long to parse.
_MOST_DIGITS = 10_000


def to_table(states: Mapping[Place, ColumnState], reference: Reference) -> Table:
    """Return a profile as a table.

    Args:
        states: of each measure of a column, in the order of the rows.
        reference: what numbers and values were counted by.
    """
    records = []
    for (kind, column, measure), state in states.items():
        record: _Record = {
            "column": column,
            "kind": kind,
            "measure": measure,
            "type": state.type,
            "rows": state.rows,
            "missing": state.missing,
        }
        known = reference.find(kind, column, measure)
        if state.numbers is not None:
            record |= _describe_numbers(state.numbers)
        if state.numbers is not None and known.cuts is not None:
            record["cut_points"] = list(known.cuts.points)
            record["below"] = state.numbers.below
            record["above"] = state.numbers.above
        if state.values is not None:
            record |= _describe_values(state.values)
        # Of a column that the reference does not know, no value can be told to be new.
        if state.values is not None and known.values is not None:
            record["new"] = state.values.new
        records.append(record)
    return Table.from_pylist(records, schema=SCHEMA)


def from_table(table: Table) -> dict[Place, ColumnState]:
    """Return the profile that a table was made of.

    Raises:
        ValueError: it was made of none.
    """
    table = complete_profile(table)
    if not table.schema.equals(SCHEMA):
        raise ValueError("other columns than those of a profile")
    return dict(_read_records(table))


def _read_records(table: Table) -> Iterator[tuple[Place, ColumnState]]:
    for record in table.to_pylist():
        place = (record["kind"], record["column"], record["measure"])
        state = ColumnState(
            record["type"],
            record["rows"],
            record["missing"],
            _read_numbers(record),
            _read_values(record),
        )
        yield place, state


def _describe_numbers(numbers: Numbers) -> _Record:
    moments = numbers.moments
    bins = [(find_bin(key), count) for key, count in numbers.bins.items()]
    bins.sort()
    return {
        "nan": numbers.nan,
        "infinite": numbers.infinite,
        "numbers": numbers.finite,
        "mean": moments.mean,
        "std": moments.deviation,
        "min": numbers.minimum,
        "max": numbers.maximum,
        "counts": list(numbers.counts),
        "bins": [{"value": value, "count": count} for value, count in bins],
        "sum": _write_whole(moments.total),
        "sum_of_squares": _write_whole(moments.squares),
        "counted": numbers.counted,
        "squared_weights": numbers.squared_weights,
    }


def _read_numbers(record: _Record) -> Numbers | None:
    finite = record["numbers"]
    if finite is None:
        return None
    counts = tuple(record["counts"])
    bins = {find_key(found["value"]): found["count"] for found in record["bins"]}
    moments = Moments(
        # Each that is counted is in one of them.
        sum(counts) + sum(bins.values()),
        _read_whole(record["sum"]),
        _read_whole(record["sum_of_squares"]),
    )
    return Numbers(
        record["nan"],
        record["infinite"],
        record["min"],
        record["max"],
        moments,
        # Without a reference nothing is out of its range.
        record["below"] or 0,
        record["above"] or 0,
        counts,
        bins,
        finite,
        record["counted"],
        record["squared_weights"],
    )


def _describe_values(values: Values) -> _Record:
    counted = sorted(values.counts.items(), key=_rank)
    return {
        "distinct": values.distinct,
        "is_whole": values.is_whole,
        "long": values.long,
        "with_value": values.count,
        "values": [{"value": value, "count": count} for value, count in counted],
    }


def _read_values(record: _Record) -> Values | None:
    if record["with_value"] is None:
        return None
    return Values(
        record["with_value"],
        record["long"],
        record["new"] or 0,
        {found["value"]: found["count"] for found in record["values"]},
        record["is_whole"],
    )


def _rank(counted: tuple[str, int]) -> tuple[int, str]:
    value, count = counted
    # Ties in the order of the values, so that the same rows give the same file.
    return -count, value


def _write_whole(number: int) -> str:
    """Return a whole number without the zeros that its binary digits end with: `1bp2146` for 27 << 2146."""
    zeros = max(0, (number & -number).bit_length() - 1)
    return f"{number >> zeros:x}p{zeros}"


def _read_whole(text: str) -> int:
    """Return a number that `_write_whole` wrote."""
    digits, _, zeros = text.partition("p")
    if len(digits) > _MOST_DIGITS or int(zeros) > _MOST_DIGITS:
        raise ValueError("more digits than a sum of numbers has")
    return int(digits, 16) << int(zeros)
