"""Lines of JSON as typed columns: a line that has no row is rejected, and all others are read.

What becomes of a line is what pyarrow's parser says of that line by itself, in whatever block it
stands: see `json_halving.py`. What the parser must not be given is found before (`json_shape.py`).
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, Field, RecordBatch, Schema

from configs.errors import RowError
from transforms.formats.csv_records import Records
from transforms.formats.json_halving import Halved, Part, Positions, parse_lines, spread
from transforms.formats.json_reasons import explain_syntax
from transforms.formats.json_shape import Reasons, find_misshapen, get_line
from transforms.formats.json_types import (
    convert,
    holds_infinite_float,
    parsed_schema,
    with_doubles,
)
from transforms.formats.parquet_casts import cast_column

# Arrow's parser refuses these wherever they stand, Python's takes them.
_UNREADABLE = RowError("line holds a number that no double holds, or half a surrogate pair")
_NO_COLUMNS = pa.schema([])


@dataclass(frozen=True)
class ParsedLines:
    """What the lines of a block hold.

    Attributes:
        rows: one for each line, with null for each value that could not be read.
        reasons: by position, why a line is rejected.
    """

    rows: RecordBatch
    reasons: Reasons


class LineParser:
    """A parser of lines.

    Args:
        schema: names and types of the columns to keep.

    Raises:
        JobError: a type that no JSON has.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._parsed = parsed_schema(schema)

    def parse(self, lines: Records) -> ParsedLines:
        """Return the rows of a block of lines, and why some lines are none."""
        reasons = find_misshapen(lines)
        count = len(lines)
        all_positions = np.arange(count)
        shaped = _leave_out(all_positions, reasons)
        halved = parse_lines(lines, shaped, self._parsed)
        parsed = halved.rows
        # Nearly always each line is good.
        if len(halved.good) < count:
            columns = self._explain(lines, halved, reasons)
            parsed = RecordBatch.from_arrays(columns, schema=self._parsed)
        converted = convert(parsed, self._schema)
        overflows = _find_overflows(lines, halved)
        # Of a line with several reasons the first one is told.
        all_reasons = {**overflows, **converted.reasons, **reasons}
        return ParsedLines(converted.rows, all_reasons)

    def find_bad(self, lines: Records, positions: Positions, name: str) -> Positions:
        """Return the positions of lines with a value that is not of the type of its column.

        Args:
            lines: a block.
            positions: those to look at, each of them an object.
            name: of the column.
        """
        halved = self._parse_alone(lines, positions, name)
        field = self._schema.field(name)
        wanted = pa.schema([field])
        converted = convert(halved.rows, wanted)
        rows = sorted(converted.reasons)
        unfit = halved.good[rows]
        both = [halved.bad, unfit]
        bad = np.concatenate(both)
        return np.sort(bad)

    def _parse_alone(self, lines: Records, positions: Positions, name: str) -> Halved:
        """Parse one column of some lines."""
        field = self._parsed.field(name)
        schema = pa.schema([field])
        return parse_lines(lines, positions, schema)

    def _explain(self, lines: Records, halved: Halved, reasons: Reasons) -> list[Array]:
        """Return the columns of a block some lines of which are bad, and note why they are.

        Column by column, as the parser does not say which of them it cannot read.

        Args:
            lines: the block.
            halved: what the parser made of it.
            reasons: why lines were not given to it; those of the others are added.
        """
        names = self._parsed.names
        for position in halved.bad.tolist():
            line = get_line(lines, position)
            wrong = explain_syntax(line, names)
            if wrong is not None:
                reasons[position] = wrong
        # Lines that are JSON objects: their other values can be read, for the records of such rows.
        decoded = _leave_out(halved.bad, reasons)
        without_columns = parse_lines(lines, decoded, _NO_COLUMNS)
        objects = without_columns.good
        unreadable = without_columns.bad.tolist()
        reasons |= dict.fromkeys(unreadable, _UNREADABLE)
        count = len(lines)
        columns = []
        for name in names:
            alone = self._parse_alone(lines, objects, name)
            of_good = Part(halved.good, halved.rows.column(name))
            of_bad = Part(alone.good, alone.rows.column(name))
            column = spread(count, [of_good, of_bad])
            columns.append(column)
            wanted = self._schema.field(name).type
            reason = _say_invalid(name, wanted)
            for position in alone.bad.tolist():
                reasons.setdefault(position, reason)
        return columns


def _say_invalid(name: str, dtype: DataType) -> RowError:
    # It holds no value, so that one is enough for all lines.
    return RowError(f"column {name!r}: not a valid {dtype}")


def _find_overflows(lines: Records, halved: Halved) -> Reasons:
    """Return the lines with a finite number that became an infinite float: 1e39 does."""
    reasons: Reasons = {}
    for field in halved.rows.schema:
        column = halved.rows.column(field.name)
        # Nearly always in one pass.
        if holds_infinite_float(column):
            reasons |= _find_overflows_of(lines, halved.good, field)
    return reasons


def _find_overflows_of(lines: Records, positions: Positions, field: Field) -> Reasons:
    dtype = with_doubles(field.type)
    doubles = field.with_type(dtype)
    schema = pa.schema([doubles])
    halved = parse_lines(lines, positions, schema)
    cast = cast_column(halved.rows.column(0), field)
    reason = _say_invalid(field.name, field.type)
    rows = list(cast.reasons)
    overflowed = halved.good[rows]
    return dict.fromkeys(overflowed.tolist(), reason)


def _leave_out(positions: Positions, reasons: Reasons) -> Positions:
    """Return the positions (int64) that no reason is known for, in their order."""
    if not reasons:
        return positions
    count = len(reasons)
    left_out = np.fromiter(reasons, dtype=np.int64, count=count)
    return np.setdiff1d(positions, left_out, assume_unique=True)
