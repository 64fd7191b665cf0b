"""How many rows failed which check, counted while they pass: a summary, which merges as a profile does."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa
from pyarrow import Table

from transforms.checks.column_check import NEWEST, ColumnCheck, find_newest
from transforms.summaries.chosen_rows import RowPlaces
from transforms.summaries.summary import Columns, Kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Part of file names: no other summary has it.
NAME = "checks"
SCHEMA = pa.schema(
    [
        ("column", pa.string()),
        ("rule", pa.string()),
        ("rows", pa.int64()),
        ("missing", pa.int64()),
        ("failed", pa.int64()),
        ("newest", pa.timestamp("us", tz="UTC")),
    ]
)


class Count(NamedTuple):
    """What became of a check.

    Attributes:
        rows: that were read.
        missing: of them without a value.
        failed: of them.
        newest: of dates and times, in microseconds from 1970 on; None of other checks.
    """

    rows: int = 0
    missing: int = 0
    failed: int = 0
    newest: int | None = None


# One for each check, in their order.
_State: TypeAlias = tuple[Count, ...]


@dataclass(frozen=True)
class CheckCounts:
    """The counts of some checks.

    Attributes:
        checks: those whose rows go on.
    """

    checks: tuple[ColumnCheck, ...]
    name = NAME

    def of(self, kind: Kind, columns: Columns, places: RowPlaces | None = None) -> _State:
        """Return the counts of some rows as they were read; see `Summary.of`."""
        if kind != "input":
            return (Count(),) * len(self.checks)
        counts = []
        for check in self.checks:
            column = columns[check.column]
            failed = check.find_failed(column)
            newest = find_newest(column) if check.rule == NEWEST else None
            counts.append(Count(len(column), column.null_count, len(failed), newest))
        return tuple(counts)

    def merge(self, first: _State, second: _State) -> _State:
        """Return the counts of the rows of both; see `Summary.merge`."""
        pairs = zip(first, second, strict=True)
        return tuple(_add(one, other) for one, other in pairs)

    def write(self, state: _State) -> Table:
        """Return a row for each check; see `Summary.write`."""
        records = []
        for check, count in zip(self.checks, state, strict=True):
            record = {
                "column": check.column,
                "rule": check.rule,
                **count._asdict(),
            }
            records.append(record)
        return Table.from_pylist(records, schema=SCHEMA)

    def read(self, table: Table) -> _State:
        """Return what was written; see `Summary.read`."""
        if not table.schema.equals(SCHEMA):
            raise ValueError("other columns than those of counted checks")
        records = table.to_pylist()
        found = [(record["column"], record["rule"]) for record in records]
        wanted = [(check.column, check.rule) for check in self.checks]
        if found != wanted:
            raise ValueError("counts of other checks")
        return tuple(_read_count(record) for record in records)


def _add(one: Count, other: Count) -> Count:
    both = [newest for newest in (one.newest, other.newest) if newest is not None]
    return Count(
        one.rows + other.rows,
        one.missing + other.missing,
        one.failed + other.failed,
        max(both, default=None),
    )


def _read_count(record: dict[str, Any]) -> Count:
    newest = record["newest"]
    if newest is not None:
        # Whole microseconds, which a float might round.
        newest = (newest - _EPOCH) // timedelta(microseconds=1)
    return Count(record["rows"], record["missing"], record["failed"], newest)
