"""How scored tables become CSV.

Arrow's writer, with texts that a spreadsheet would run made harmless where the job asks for it. A
spreadsheet takes a field that begins with `=` or the like for a formula, which can fetch and send.
The apostrophe before it says that it is text. One is put before such texts, and before those that
look as if one had been put already, so that taking the first apostrophe off every text that matches
`'+[=+-@...]` gives back what was scored. Numbers, and a minus before one, stay as they are.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, RecordBatch, Schema, Table
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from pyarrow.types import (
    is_date32,
    is_date64,
    is_fixed_size_binary,
    is_interval,
    is_nested,
    is_time,
    is_timestamp,
)

from configs.errors import PublishError, RowError
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_table import read_first_texts
from transforms.formats.output import FileFormat, TableWriter, columns_of_types
from transforms.logical_types import (
    cast_column,
    decoded_type,
    is_binary,
    is_text,
    passes_any,
    type_with_kernels,
)

# Also line ends and tabs, which some programs skip, and the wide forms that Japanese and Chinese
# keyboards type.
_FORMULA = "^'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
# The years that Arrow writes, -32767 to 32767, in days since 1970; a day less on both sides, because
# a zone may lie in the day before or after.
_FIRST_DAY = -12_687_427
_LAST_DAY = 11_248_736
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_SECONDS_OF_DAY = 86_400
_WITHOUT_TEXT = (is_nested, is_fixed_size_binary, is_interval)
# Read back at a time.
_QUOTE = ord('"')
_COUNTED_BYTES = 1 << 20


class CsvOutput:
    """Write CSV, which holds no nested, no binary and no extension columns; the methods are `OutputFormat`'s."""

    def find_problem(self, schema: Schema, escape_formulas: bool) -> str | None:
        """Refuse columns that have no text."""
        unfit = columns_of_types(schema, (_has_no_text,))
        if not unfit:
            return None
        first = unfit[0]
        return (
            f"sink.format csv cannot hold column {first.name!r} of type {first.type}; "
            "use parquet or leave it out"
        )

    def find_unfit(
        self,
        rows: RecordBatch,
        names: Sequence[str],
    ) -> Mapping[int, Exception]:
        """Return the rows with a date or time that Arrow writes no text for.

        It writes `<value out of range>` instead, or fails altogether.
        """
        return find_without_text(rows, names, "CSV")

    def open_writer(self, sink: Any, look: FileFormat) -> TableWriter:
        """Begin a file, with its header."""
        return CsvWriter(sink, look.schema, look.escape_formulas)

    def count_rows(self, url: str, file: Any) -> int:
        """Read the file again."""
        return count_csv_rows(url, file)

    def read_schema(self, file: Any) -> Schema | None:
        """Return None: CSV tells names alone."""
        return None

    def read_first_rows(self, url: str) -> Table:
        """Return the first rows, as text."""
        dialect = CsvDialect()
        return read_first_texts(url, dialect)


def find_without_text(
    rows: RecordBatch,
    names: Sequence[str],
    kind: str,
) -> Mapping[int, Exception]:
    """Return the rows with a date or time that Arrow writes no text for.

    Args:
        rows: the rows.
        names: the columns that will be stored.
        kind: what is written, for the reason.
    """
    reasons: dict[int, Exception] = {}
    for name in names:
        column = rows.column(name)
        limits = _find_limits(column.type)
        if limits is None:
            continue
        # One for all rows: its message holds no value.
        reason = RowError(f"column {name!r}: a {column.type} that {kind} cannot hold")
        unfit = _find_outside(column, limits)
        of_column = dict.fromkeys(unfit, reason)
        reasons.update(of_column)
    return reasons


class CsvWriter:
    """A CSV file on its way; `escape_formulas` concerns texts and the header."""

    def __init__(self, sink: Any, schema: Schema, escape_formulas: bool) -> None:
        self._escape = escape_table if escape_formulas else _leave_as_it_is
        # By way of a table, because the header's names are escaped, too.
        no_rows = decode_table(schema.empty_table())
        header = self._escape(no_rows)
        self._writer = pacsv.CSVWriter(sink, header.schema)

    def write_table(self, table: Table) -> None:
        """Append rows."""
        decoded = decode_table(table)
        escaped = self._escape(decoded)
        self._writer.write_table(escaped)

    def close(self) -> None:
        """Finish the file; the sink stays open."""
        self._writer.close()


def decode_table(table: Table) -> Table:
    """Return the columns as plain ones: Arrow writes neither views nor, of views, dictionaries."""
    columns = list(map(_decode_column, table.columns))
    names = table.column_names
    return pa.table(columns, names=names)


def escape_table(table: Table) -> Table:
    """Put an apostrophe before every text and column name that would be taken for a formula.

    >>> escape_table(pa.table({"=a": ["-1", "'=x", "b-1"], "n": [-1, 0, 1]})).to_pydict()
    {"'=a": ["'-1", "''=x", 'b-1'], 'n': [-1, 0, 1]}
    """
    text = pa.string()
    names = pa.array(table.column_names, type=text)
    escaped = _escape_column(names)
    columns = list(map(_escape_column, table.columns))
    escaped_names = escaped.to_pylist()
    return pa.table(columns, names=escaped_names)


def count_csv_rows(url: str, file: Any) -> int:
    """Count the rows of a CSV file that was written here: each line feed outside quotes ends one.

    Not by pyarrow's parser, which takes no row longer than its block, loses rows around NUL bytes,
    and skips the blank line that a null is in a file of one column.

    Args:
        url: of the file, for errors.
        file: open for reading.

    Raises:
        PublishError: it cannot be read back.
    """
    lines = 0
    delimiters = 0
    header_delimiters = 0
    quotes_before = 0
    last = b""
    while content := file.read(_COUNTED_BYTES):
        codes = np.frombuffer(content, dtype=np.uint8)
        is_quote = codes == _QUOTE
        quotes = np.flatnonzero(is_quote)
        ends = _find_outside_quotes(codes, "\n", quotes, quotes_before)
        commas = _find_outside_quotes(codes, ",", quotes, quotes_before)
        if lines == 0:
            # Up to the end of the header, or all as long as it has none.
            header = commas
            if len(ends):
                in_header = commas < ends[0]
                header = commas[in_header]
            header_delimiters += len(header)
        lines += len(ends)
        delimiters += len(commas)
        quotes_before += len(quotes)
        last = content[-1:]
    # A file that was cut may end inside a line, or inside quotes.
    ends_line = last == b"\n"
    is_closed = quotes_before % 2 == 0
    has_all_fields = delimiters == lines * header_delimiters
    is_whole = ends_line and is_closed and has_all_fields
    if not is_whole:
        raise PublishError(f"{url}: cannot be read back: it is not as it was written")
    # The header is a line, too.
    return lines - 1


def _find_outside_quotes(
    codes: np.ndarray,
    character: str,
    quotes: np.ndarray,
    quotes_before: int,
) -> np.ndarray:
    """Return the places (int64) of a character with an even number of quotes before it."""
    code = ord(character)
    is_character = codes == code
    places = np.flatnonzero(is_character)
    before_here = np.searchsorted(quotes, places)
    before = quotes_before + before_here
    # A doubled quote closes and opens again, so it needs no care.
    is_outside = before % 2 == 0
    outside: np.ndarray = places[is_outside]
    return outside


def _has_no_text(dtype: DataType) -> bool:
    plain = decoded_type(dtype)
    is_extension = isinstance(plain, pa.BaseExtensionType)
    return is_extension or is_binary(plain) or passes_any(plain, _WITHOUT_TEXT)


class _Limits(NamedTuple):
    """The smallest and the largest number of a date or time that has a text."""

    low: int
    high: int


def _find_limits(dtype: DataType) -> _Limits | None:
    """Return which numbers have a text; None of types of which all have one."""
    if is_date32(dtype):
        return _Limits(_FIRST_DAY, _LAST_DAY)
    if is_date64(dtype):
        unit = "ms"
    elif is_timestamp(dtype) or is_time(dtype):
        unit = dtype.unit
    else:
        return None
    per_day = _SECONDS_OF_DAY * _PER_SECOND[unit]
    if is_time(dtype):
        return _Limits(0, per_day - 1)
    low = _FIRST_DAY * per_day
    high = _LAST_DAY * per_day
    return _Limits(low, high)


def _decode_column(column: Any) -> Any:
    """Return an array, or a table's column, without dictionary and views."""
    decoded = decoded_type(column.type)
    plain = type_with_kernels(decoded)
    if isinstance(column, Array):
        return column.cast(plain)
    return cast_column(column, plain)


def _find_outside(column: Array, limits: _Limits) -> list[int]:
    """Return the positions of the values that lie outside of limits."""
    wide_type = pa.int64()
    physical = wide_type
    if column.type.bit_width == 32:
        physical = pa.int32()
    numbers = column.view(physical)
    wide = numbers.cast(wide_type)
    extremes = pc.min_max(wide)
    least, most = extremes.values()
    # Without any value there is no least one.
    if not least.is_valid:
        return []
    low, high = limits
    none_before = least.as_py() >= low
    none_behind = most.as_py() <= high
    # Nearly always, and in one pass.
    if none_before and none_behind:
        return []
    is_low = pc.less(numbers, low)
    is_high = pc.greater(numbers, high)
    is_outside = pc.or_(is_low, is_high)
    # A missing value has a text: an empty one.
    is_outside = is_outside.fill_null(False)
    rows = pc.indices_nonzero(is_outside)
    positions: list[int] = rows.to_pylist()
    return positions


def _leave_as_it_is(table: Table) -> Table:
    return table


def _escape_column(column: Any) -> Any:
    """Return texts, plain or in a dictionary, with apostrophes; other columns as they are."""
    # Arrow has no kernel for dictionaries or views that matches a pattern.
    if not is_text(column.type):
        return column
    texts = _decode_column(column)
    is_formula = pc.match_substring_regex(texts, _FORMULA)
    dtype = texts.type
    apostrophe = pa.scalar("'", dtype)
    nothing = pa.scalar("", dtype)
    # The last argument is what stands between the others.
    escaped = pc.binary_join_element_wise(apostrophe, texts, nothing)
    return pc.if_else(is_formula, escaped, texts)
