"""How scored tables become CSV.

Arrow's writer, with texts that a spreadsheet would run made harmless where the job asks for it. A
spreadsheet takes a field that begins with `=` or the like for a formula, which can fetch and send.
The apostrophe before it says that it is text. One is put before such texts, and before those that
look as if one had been put already, so that taking the first apostrophe off every text that matches
`'+[=+-@...]` gives back what was scored. Numbers, and a minus before one, stay as they are.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from configs.errors import PublishError, RowError
from transforms.formats.output import FileFormat, TableWriter, columns_of_types
from transforms.logical_types import (
    cast_column,
    decoded_type,
    is_binary,
    is_text,
    type_with_kernels,
)

# Also line ends and tabs, which some programs skip, and the wide forms that Japanese and Chinese
# keyboards type.
_FORMULA = "^'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
# The years that Arrow writes, -32767 to 32767, in days since 1970; a day less on both sides, because
# a zone may lie in the day before or after.
_FIRST_DAY, _LAST_DAY = -12_687_427, 11_248_736
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SECONDS_OF_DAY = 86_400
# Read back at a time.
_COUNTED_BYTES = 1 << 20


class CsvOutput:
    """Write CSV, which holds no nested, no binary and no extension columns; the methods are `OutputFormat`'s."""

    def find_problem(self, schema: pa.Schema, escape_formulas: bool) -> str | None:
        """Refuse columns that have no text."""
        unfit = columns_of_types(schema, (_has_no_text,))
        if not unfit:
            return None
        first = unfit[0]
        return (
            f"sink.format csv cannot hold column {first.name!r} of type {first.type}; "
            "use parquet or leave it out"
        )

    def find_unfit(self, rows: pa.RecordBatch, names: Sequence[str]) -> Mapping[int, Exception]:
        """Return the rows with a date or time that Arrow writes no text for.

        It writes `<value out of range>` instead, or fails altogether.
        """
        reasons: dict[int, Exception] = {}
        for name in names:
            column = rows.column(name)
            limits = _find_limits(column.type)
            if limits is not None:
                unfit = _find_outside(column, limits)
                reason = RowError(f"column {name!r}: a {column.type} that CSV cannot hold")
                reasons.update(dict.fromkeys(unfit, reason))
        return reasons

    def open_writer(self, sink: Any, look: FileFormat) -> TableWriter:
        """Begin a file, with its header."""
        return CsvWriter(sink, look.schema, look.escape_formulas)

    def count_rows(self, url: str, file: Any) -> int:
        """Read the file again."""
        return count_csv_rows(url, file)

    def read_schema(self, file: Any) -> pa.Schema | None:
        """Return None: CSV tells names alone."""
        return None


class CsvWriter:
    """A CSV file on its way; `escape_formulas` concerns texts and the header."""

    def __init__(self, sink: Any, schema: pa.Schema, escape_formulas: bool) -> None:
        self._escape = escape_table if escape_formulas else _leave_as_it_is
        # By way of a table, because the header's names are escaped, too.
        header = self._escape(decode_table(schema.empty_table()))
        self._writer = pacsv.CSVWriter(sink, header.schema)

    def write_table(self, table: pa.Table) -> None:
        """Append rows."""
        self._writer.write_table(self._escape(decode_table(table)))

    def close(self) -> None:
        """Finish the file; the sink stays open."""
        self._writer.close()


def decode_table(table: pa.Table) -> pa.Table:
    """Return the columns as plain ones: Arrow writes neither views nor, of views, dictionaries."""
    columns = []
    for column in table.columns:
        plain = type_with_kernels(decoded_type(column.type))
        columns.append(cast_column(column, plain))
    return pa.table(columns, names=table.column_names)


def escape_table(table: pa.Table) -> pa.Table:
    """Put an apostrophe before every text and column name that would be taken for a formula.

    >>> escape_table(pa.table({"=a": ["-1", "'=x", "b-1"], "n": [-1, 0, 1]})).to_pydict()
    {"'=a": ["'-1", "''=x", 'b-1'], 'n': [-1, 0, 1]}
    """
    names = pa.array(table.column_names, type=pa.string())
    escaped_names = _escape_column(names)
    columns = [_escape_column(column) for column in table.columns]
    return pa.table(columns, names=escaped_names.to_pylist())


def count_csv_rows(url: str, file: Any) -> int:
    """Count the rows of a CSV file as it was written here: each line feed outside quotes ends one.

    Not by pyarrow's parser, which takes no row longer than its block, loses rows around NUL bytes,
    and skips the blank line that a null is in a file of one column.

    Args:
        url: of the file, for errors.
        file: open for reading.

    Raises:
        PublishError: it cannot be read back.
    """
    lines = delimiters = header_delimiters = 0
    quotes_before = 0
    last = b""
    while content := file.read(_COUNTED_BYTES):
        codes = np.frombuffer(content, dtype=np.uint8)
        quotes = np.flatnonzero(codes == ord('"'))
        ends = _find_outside_quotes(codes, "\n", quotes, quotes_before)
        commas = _find_outside_quotes(codes, ",", quotes, quotes_before)
        if lines == 0:
            # Up to the end of the header, or all as long as it has none.
            header = commas if not len(ends) else commas[commas < ends[0]]
            header_delimiters += len(header)
        lines += len(ends)
        delimiters += len(commas)
        quotes_before += len(quotes)
        last = content[-1:]
    is_whole = last == b"\n" and quotes_before % 2 == 0
    if not is_whole or delimiters != lines * header_delimiters:
        raise PublishError(f"{url}: cannot be read back: it is not as it was written")
    return lines - 1


def _find_outside_quotes(
    codes: np.ndarray, character: str, quotes: np.ndarray, quotes_before: int
) -> np.ndarray:
    """Return the places (int64) of a character with an even number of quotes before it."""
    places = np.flatnonzero(codes == ord(character))
    before = quotes_before + np.searchsorted(quotes, places)
    outside: np.ndarray = places[before % 2 == 0]
    return outside


def _has_no_text(dtype: pa.DataType) -> bool:
    plain = decoded_type(dtype)
    checks = (
        pa.types.is_nested,
        pa.types.is_fixed_size_binary,
        pa.types.is_interval,
    )
    is_extension = isinstance(plain, pa.BaseExtensionType)
    return is_extension or is_binary(plain) or any(check(plain) for check in checks)


def _find_limits(dtype: pa.DataType) -> tuple[int, int] | None:
    """Return the smallest and the largest number of a date or time that has a text."""
    if pa.types.is_date32(dtype):
        return _FIRST_DAY, _LAST_DAY
    if pa.types.is_date64(dtype):
        per_day = _SECONDS_OF_DAY * _PER_SECOND["ms"]
        return _FIRST_DAY * per_day, _LAST_DAY * per_day
    if pa.types.is_timestamp(dtype):
        per_day = _SECONDS_OF_DAY * _PER_SECOND[dtype.unit]
        return _FIRST_DAY * per_day, _LAST_DAY * per_day
    if pa.types.is_time(dtype):
        return 0, _SECONDS_OF_DAY * _PER_SECOND[dtype.unit] - 1
    return None


def _find_outside(column: pa.Array, limits: tuple[int, int]) -> list[int]:
    """Return the positions of the values that lie outside of limits."""
    numbers = column.view(pa.int32() if column.type.bit_width == 32 else pa.int64())
    least, most = pc.min_max(numbers.cast(pa.int64())).values()
    low, high = limits
    # Nearly always: no value at all is null.
    if not least.is_valid or (least.as_py() >= low and most.as_py() <= high):
        return []
    is_outside = pc.or_(pc.less(numbers, low), pc.greater(numbers, high))
    positions: list[int] = pc.indices_nonzero(is_outside.fill_null(False)).to_pylist()
    return positions


def _leave_as_it_is(table: pa.Table) -> pa.Table:
    return table


def _escape_column(column: Any) -> Any:
    """Return texts, plain or in a dictionary, with apostrophes; other columns as they are."""
    # Arrow has no kernel for dictionaries or views that matches a pattern.
    if not is_text(column.type):
        return column
    plain = type_with_kernels(decoded_type(column.type))
    texts = column.cast(plain) if isinstance(column, pa.Array) else cast_column(column, plain)
    is_formula = pc.match_substring_regex(texts, _FORMULA)
    apostrophe = pa.scalar("'", texts.type)
    nothing = pa.scalar("", texts.type)
    # The last argument is what stands between the others.
    escaped = pc.binary_join_element_wise(apostrophe, texts, nothing)
    return pc.if_else(is_formula, escaped, texts)
