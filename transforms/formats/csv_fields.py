"""Well-formed records of a CSV file as columns of bytes, by pyarrow's parser."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, RecordBatch
import pyarrow.csv as pacsv

from configs.errors import RowError
from transforms.formats.csv_dialect import BLOCK_BYTES, CsvDialect
from transforms.formats.csv_numbers import NumberTypes, holds_infinity, may_differ
from transforms.formats.csv_records import GLUED, LONE_ESCAPE, OVERLONG, UNCLOSED, Records

_BYTE_VALUES = 256
# Of a file in which values are malformed so often, no more texts are read twice.
_MOST_VAIN = 3
# One for all rows: a file may have millions.
_MALFORMED = {
    GLUED: RowError(f"malformed quoting: {GLUED}"),
    LONE_ESCAPE: RowError(f"malformed quoting: {LONE_ESCAPE}"),
    UNCLOSED: RowError(f"malformed quoting: {UNCLOSED}"),
    OVERLONG: RowError(f"row has more than {BLOCK_BYTES:,} bytes: is each quote closed?"),
}
_EVERY_BYTE = "holds every byte that there is, and so no text"
# By position among the records, why one is rejected.
Reasons: TypeAlias = dict[int, Exception]
# Of records, int64.
Positions: TypeAlias = np.ndarray
# Bytes of a text, uint8.
Codes: TypeAlias = np.ndarray


# A reason, and of how many lines the row is.
_Alike: TypeAlias = tuple[Exception, int]


class Parsed(NamedTuple):
    """What the records of a text hold.

    Attributes:
        fields: columns of `pa.binary()`, or of numbers, called by their positions, of the records
            that are well formed.
        positions: of these records.
        reasons: by position, why each of the others is none of them.
    """

    fields: RecordBatch
    positions: Positions
    reasons: Reasons


class FieldParser:
    """A parser of records that have one number of fields.

    Args:
        width: how many.
        wanted: the positions of those to keep, in the order in which they come out.
        dialect: what their text means.
        numbers: by position, the types of those that may come out as numbers, where all of a text
            are such.
    """

    def __init__(
        self,
        width: int,
        wanted: Sequence[int],
        dialect: CsvDialect,
        numbers: Mapping[int, DataType] | None = None,
    ) -> None:
        self._width = width
        self._dialect = dialect
        # By number: a header may hold a name twice.
        positions = range(width)
        names = list(map(str, positions))
        kept = [names[position] for position in wanted]
        self._numbers: dict[str, DataType] = {}
        for position, dtype in (numbers or {}).items():
            name = names[position]
            self._numbers[name] = dtype
        # How often they were tried in vain.
        self._vain = 0
        self._parse = pacsv.ParseOptions(
            delimiter=dialect.delimiter,
            # `Records.select` leaves no other way to write a quote inside quotes.
            quote_char=dialect.quote or False,
            double_quote=True,
            # Only asked for where a text is cut into blocks, and this one is a block.
            newlines_in_values=False,
            # In one column a blank line is a row.
            ignore_empty_lines=width > 1,
        )
        self._names = names
        self._kept = kept
        # Fields stay bytes: each value is checked when it gets its type.
        self._as_bytes = self._make_options({})
        self._as_numbers = self._make_options(self._numbers)

    def _make_options(self, numbers: NumberTypes) -> pacsv.ConvertOptions:
        as_bytes = pa.binary()
        types = dict.fromkeys(self._kept, as_bytes)
        return pacsv.ConvertOptions(
            check_utf8=False,
            column_types=types | dict(numbers),
            # Of none pyarrow makes all; one is read, so that rows are counted.
            include_columns=self._kept or self._names[:1],
            null_values=list(self._dialect.null_values),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )

    def parse(self, records: Records) -> Parsed:
        """Return the fields of all records of a text that are well formed.

        Raises:
            ArrowInvalid: pyarrow takes well-formed records for something else.
        """
        broken: Reasons = {}
        for position, reason in records.malformed.items():
            broken[position] = _MALFORMED[reason]
        all_positions = np.arange(len(records))
        good = _leave_out(all_positions, broken)
        numbers = self._parse_numbers(records, good)
        if numbers is not None:
            reasons = _tell_lines(records, broken)
            return Parsed(numbers, good, reasons)
        try:
            fields = self._parse_some(records, good, broken)
        # It stops at the first row with too many or too few fields, and quotes it.
        except pa.ArrowInvalid:
            broken |= self._find_wrong_widths(records, good)
            good = _leave_out(good, broken)
            fields = self._parse_some(records, good, broken)
        kept = _leave_out(good, broken)
        reasons = _tell_lines(records, broken)
        return Parsed(fields, kept, reasons)

    def _parse_numbers(self, records: Records, positions: Positions) -> RecordBatch | None:
        """Return fields whose numbers are made already; None where each must be looked at."""
        types = self._numbers
        is_vain = self._vain >= _MOST_VAIN
        if not types or is_vain or not len(positions):
            return None
        # Another byte must stand for NUL.
        if b"\0" in records.text or may_differ(records.text, self._dialect, types):
            return None
        text = records.select(positions)
        try:
            rows = self._parse_text(text, self._as_numbers)
        # A value that is no number, or a row of another width: read once more, field by field.
        except pa.ArrowInvalid:
            self._vain += 1
            return None
        # Of lost rows, and of numbers that are too large, the reading of fields tells more.
        if rows.num_rows != len(positions) or holds_infinity(rows, types):
            self._vain += 1
            return None
        return rows

    def _find_wrong_widths(self, records: Records, positions: Positions) -> Reasons:
        widths = records.count_fields()
        is_wrong = widths[positions] != self._width
        wrong = positions[is_wrong]
        wrong_widths = widths[wrong]
        # One for all of a width: a file may have millions of such rows.
        by_width: Reasons = {}
        different = np.unique(wrong_widths)
        header_width = self._width
        for width in different.tolist():
            why = f"row has {width} fields, the header has {header_width}"
            by_width[width] = RowError(why)

        reasons: Reasons = {}
        positions_of_wrong = wrong.tolist()
        widths_of_wrong = wrong_widths.tolist()
        for position, width in zip(positions_of_wrong, widths_of_wrong, strict=True):
            reasons[position] = by_width[width]
        return reasons

    def _parse_some(
        self,
        records: Records,
        positions: Positions,
        broken: Reasons,
    ) -> RecordBatch:
        """Parse some records; one that pyarrow cannot be given is noted in `broken`."""
        if not len(positions):
            return self._make_no_rows()
        text = records.select(positions)
        substitute = None
        # Loses rows around NUL bytes where texts are long.
        if b"\0" in records.text:
            codes = np.frombuffer(text, dtype=np.uint8)
            substitute = self._find_unused(codes)
            if substitute is None:
                return self._parse_halves(records, positions, broken)
            without_nul = _replace_byte(codes, 0, substitute)
            text = pa.py_buffer(without_nul)
        fields = self._parse_text(text, self._as_bytes)
        # pyarrow may lose rows without a word.
        found = fields.num_rows
        given = len(positions)
        if found != given:
            why = f"found {found} rows in {given} records"
            raise pa.ArrowInvalid(why)
        if substitute is None:
            return fields
        return _put_back(fields, substitute)

    def _parse_halves(
        self,
        records: Records,
        positions: Positions,
        broken: Reasons,
    ) -> RecordBatch:
        """Parse records that together hold every byte: half of them may not."""
        if len(positions) == 1:
            (position,) = positions.tolist()
            broken[position] = RowError(_EVERY_BYTE)
            return self._make_no_rows()
        middle = len(positions) // 2
        parsed = []
        for half in np.split(positions, [middle]):
            fields = self._parse_some(records, half, broken)
            parsed.append(fields)
        return pa.concat_batches(parsed)

    def _parse_text(self, text: pa.Buffer, convert: pacsv.ConvertOptions) -> RecordBatch:
        read = pacsv.ReadOptions(
            # Workers are threads already.
            use_threads=False,
            # The text is one block.
            block_size=text.size + 1,
            column_names=self._names,
        )
        source = pa.BufferReader(text)
        table = pacsv.read_csv(
            source,
            read_options=read,
            parse_options=self._parse,
            convert_options=convert,
        )
        whole = table.combine_chunks()
        (fields,) = whole.to_batches()
        # Without the one that is read where none is kept.
        return fields.select(self._kept)

    def _make_no_rows(self) -> RecordBatch:
        as_bytes = pa.binary()
        nothing = pa.array([], type=as_bytes)
        names = self._kept
        columns = [nothing for _ in names]
        return RecordBatch.from_arrays(columns, names=names)

    def _find_unused(self, codes: Codes) -> int | None:
        """Return a byte that a text does not hold, and that means nothing in it; None without one."""
        counts = np.bincount(codes, minlength=_BYTE_VALUES)
        delimiter = self._dialect.delimiter
        quote = self._dialect.quote or ""
        meaningful = f"\0\r\n{delimiter}{quote}"
        used = list(meaningful.encode())
        counts[used] = 1
        unused = np.flatnonzero(counts == 0)
        if len(unused) == 0:
            return None
        return int(unused[0])


def _tell_lines(records: Records, broken: Reasons) -> Reasons:
    """Return the reasons with the number of lines of each record that has several."""
    # Usually there are none; and a record that is overlong may have more lines than are known.
    breaks = len(records.breaks)
    if not breaks or not broken:
        return broken
    positions = np.array(list(broken))
    lines = records.count_lines(positions)
    counts = lines.tolist()
    # One for all that are alike: a file may have millions of such rows.
    told: dict[_Alike, RowError] = {}
    reasons: Reasons = {}
    overlong = _MALFORMED[OVERLONG]
    for position, count in zip(broken, counts, strict=True):
        reason = broken[position]
        reasons[position] = reason
        if count == 1 or reason is overlong:
            continue
        # Exceptions are equal to themselves alone, and each is there once.
        alike = (reason, count)
        if alike not in told:
            why = f"{reason}, in a row of {count} lines: is a quote left open?"
            told[alike] = RowError(why)
        reasons[position] = told[alike]
    return reasons


def _leave_out(positions: Positions, broken: Reasons) -> Positions:
    """Return the positions (int64) that are not among the broken ones, in their order."""
    if not broken:
        return positions
    count = len(broken)
    left_out = np.fromiter(broken, dtype=np.int64, count=count)
    return np.setdiff1d(positions, left_out, assume_unique=True)


def _replace_byte(codes: Codes, old: int, new: int) -> Codes:
    """Return bytes (uint8) with one value in place of another."""
    is_old = codes == old
    value = np.uint8(new)
    return np.where(is_old, value, codes)


def _put_back(fields: RecordBatch, substitute: int) -> RecordBatch:
    """Return columns of bytes with NUL in place of what stood for it."""
    columns = []
    for column in fields.columns:
        restored = _put_back_one(column, substitute)
        columns.append(restored)
    return RecordBatch.from_arrays(columns, schema=fields.schema)


def _put_back_one(column: Array, substitute: int) -> Array:
    # All values lie in one buffer, so they are changed at once; a column of nulls may have none.
    validity, offsets, content = column.buffers()
    given = content or b""
    codes = np.frombuffer(given, dtype=np.uint8)
    restored = _replace_byte(codes, substitute, 0)
    buffer = pa.py_buffer(restored)
    return Array.from_buffers(
        column.type,
        len(column),
        [validity, offsets, buffer],
        null_count=column.null_count,
        offset=column.offset,
    )
