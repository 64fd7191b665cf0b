"""Well-formed records of a CSV file as columns of bytes, by pyarrow's parser."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from configs.errors import RowError
from transforms.formats.csv_dialect import BLOCK_BYTES, CsvDialect
from transforms.formats.csv_records import GLUED, LONE_ESCAPE, OVERLONG, UNCLOSED, Records

_BYTE_VALUES = 256
# One for all rows: a file may have millions.
_MALFORMED = {
    GLUED: RowError(f"malformed quoting: {GLUED}"),
    LONE_ESCAPE: RowError(f"malformed quoting: {LONE_ESCAPE}"),
    UNCLOSED: RowError(f"malformed quoting: {UNCLOSED}"),
    OVERLONG: RowError(f"row has more than {BLOCK_BYTES:,} bytes: is each quote closed?"),
}
_EVERY_BYTE = "holds every byte that there is, and so no text"
# By position among the records, why one is rejected.
Reasons = dict[int, Exception]


class FieldParser:
    """A parser of records that have one number of fields.

    Args:
        width: how many.
        wanted: the positions of those to keep, in the order in which they come out.
        dialect: what their text means.
    """

    def __init__(self, width: int, wanted: Sequence[int], dialect: CsvDialect) -> None:
        self._width = width
        self._dialect = dialect
        # By number: a header may hold a name twice.
        names = [str(position) for position in range(width)]
        kept = [names[position] for position in wanted]
        self._convert = pacsv.ConvertOptions(
            # Fields stay bytes: each value is checked when it gets its type.
            check_utf8=False,
            column_types=dict.fromkeys(kept, pa.binary()),
            # Of none pyarrow makes all; one is read, so that rows are counted.
            include_columns=kept or names[:1],
            null_values=list(dialect.null_values),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
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

    def parse(self, records: Records) -> tuple[pa.RecordBatch, np.ndarray, Reasons]:
        """Return the fields of all records that are well formed.

        Args:
            records: of one text.

        Returns:
            Columns of `pa.binary()`, called by their positions; the positions (int64) of their
            records; and by position why each of the others is none of them.

        Raises:
            ArrowInvalid: pyarrow takes well-formed records for something else.
        """
        broken: Reasons = {}
        for position, reason in records.malformed.items():
            broken[position] = _MALFORMED[reason]
        all_positions = np.arange(len(records))
        good = _leave_out(all_positions, broken)
        try:
            fields = self._parse_some(records, good, broken)
        # It stops at the first row with too many or too few fields, and quotes it.
        except pa.ArrowInvalid:
            broken |= self._find_wrong_widths(records, good)
            good = _leave_out(good, broken)
            fields = self._parse_some(records, good, broken)
        kept = _leave_out(good, broken)
        return fields, kept, _tell_lines(records, broken)

    def _find_wrong_widths(self, records: Records, positions: np.ndarray) -> Reasons:
        widths = records.count_fields()
        is_wrong = widths[positions] != self._width
        wrong = positions[is_wrong]
        wrong_widths = widths[wrong]
        # One for all of a width: a file may have millions of such rows.
        by_width: Reasons = {}
        for width in np.unique(wrong_widths).tolist():
            by_width[width] = RowError(f"row has {width} fields, the header has {self._width}")
        reasons = [by_width[width] for width in wrong_widths.tolist()]
        return dict(zip(wrong.tolist(), reasons, strict=True))

    def _parse_some(
        self, records: Records, positions: np.ndarray, broken: Reasons
    ) -> pa.RecordBatch:
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
        fields = self._parse_text(text)
        # pyarrow may lose rows without a word.
        found = fields.num_rows
        given = len(positions)
        if found != given:
            raise pa.ArrowInvalid(f"found {found} rows in {given} records")
        if substitute is None:
            return fields
        return _put_back(fields, substitute)

    def _parse_halves(
        self, records: Records, positions: np.ndarray, broken: Reasons
    ) -> pa.RecordBatch:
        """Parse records that together hold every byte: half of them may not."""
        if len(positions) == 1:
            (position,) = positions.tolist()
            broken[position] = RowError(_EVERY_BYTE)
            return self._make_no_rows()
        middle = len(positions) // 2
        first_half = self._parse_some(records, positions[:middle], broken)
        second_half = self._parse_some(records, positions[middle:], broken)
        return pa.concat_batches([first_half, second_half])

    def _parse_text(self, text: pa.Buffer) -> pa.RecordBatch:
        # Workers are threads already; and the text is one block.
        read = pacsv.ReadOptions(
            use_threads=False, block_size=text.size + 1, column_names=self._names
        )
        table = pacsv.read_csv(
            pa.BufferReader(text),
            read_options=read,
            parse_options=self._parse,
            convert_options=self._convert,
        )
        whole = table.combine_chunks()
        (fields,) = whole.to_batches()
        # Without the one that is read where none is kept.
        return fields.select(self._kept)

    def _make_no_rows(self) -> pa.RecordBatch:
        nothing = pa.array([], type=pa.binary())
        columns = [nothing] * len(self._kept)
        return pa.RecordBatch.from_arrays(columns, names=self._kept)

    def _find_unused(self, codes: np.ndarray) -> int | None:
        """Return a byte that a text does not hold, and that means nothing in it; None without one."""
        counts = np.bincount(codes, minlength=_BYTE_VALUES)
        delimiter = self._dialect.delimiter
        quote = self._dialect.quote or ""
        meaningful = f"\0\r\n{delimiter}{quote}".encode()
        counts[list(meaningful)] = 1
        unused = np.flatnonzero(counts == 0)
        if len(unused) == 0:
            return None
        return int(unused[0])


def _tell_lines(records: Records, broken: Reasons) -> Reasons:
    """Return the reasons with the number of lines of each record that has several."""
    # Usually there are none; and a record that is overlong may have more lines than are known.
    if not len(records.breaks) or not broken:
        return broken
    positions = list(broken)
    lines = records.count_lines(np.array(positions))
    # One for all that are alike: a file may have millions of such rows.
    told: dict[tuple[Exception, int], RowError] = {}
    reasons: Reasons = {}
    overlong = _MALFORMED[OVERLONG]
    for position, count in zip(positions, lines.tolist(), strict=True):
        reason = broken[position]
        reasons[position] = reason
        if count == 1 or reason is overlong:
            continue
        # Exceptions are equal to themselves alone, and each is there once.
        alike = (reason, count)
        if alike not in told:
            told[alike] = RowError(f"{reason}, in a row of {count} lines: is a quote left open?")
        reasons[position] = told[alike]
    return reasons


def _leave_out(positions: np.ndarray, broken: Reasons) -> np.ndarray:
    """Return the positions (int64) that are not among the broken ones, in their order."""
    if not broken:
        return positions
    left_out = np.fromiter(broken, dtype=np.int64, count=len(broken))
    return np.setdiff1d(positions, left_out, assume_unique=True)


def _replace_byte(codes: np.ndarray, old: int, new: int) -> np.ndarray:
    """Return bytes (uint8) with one value in place of another."""
    is_old = codes == old
    return np.where(is_old, np.uint8(new), codes)


def _put_back(fields: pa.RecordBatch, substitute: int) -> pa.RecordBatch:
    """Return columns of bytes with NUL in place of what stood for it."""
    columns = [_put_back_one(column, substitute) for column in fields.columns]
    return pa.RecordBatch.from_arrays(columns, schema=fields.schema)


def _put_back_one(column: pa.Array, substitute: int) -> pa.Array:
    # All values lie in one buffer, so they are changed at once; a column of nulls may have none.
    validity, offsets, content = column.buffers()
    codes = np.frombuffer(content or b"", dtype=np.uint8)
    restored = _replace_byte(codes, substitute, 0)
    buffers = [validity, offsets, pa.py_buffer(restored)]
    return pa.Array.from_buffers(
        column.type, len(column), buffers, column.null_count, column.offset
    )
