"""How scored tables become CSV.

Arrow's writer, with texts that a spreadsheet would run made harmless where the job asks for it. A
spreadsheet takes a field that begins with `=` or the like for a formula, which can fetch and send.
The apostrophe before it says that it is text. One is put before such texts, and before those that
look as if one had been put already, so that taking the first apostrophe off every text that matches
`'+[=+-@...]` gives back what was scored. Numbers, and a minus before one, stay as they are.
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from configs.errors import PublishError
from transforms.formats.output import FileFormat, TableWriter, columns_of_types

# Also line ends and tabs, which some programs skip, and the wide forms that Japanese and Chinese
# keyboards type.
_FORMULA = "^'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"


class CsvOutput:
    """Write CSV, which holds no nested and no binary columns; the methods are `OutputFormat`'s."""

    def find_problem(self, schema: pa.Schema, escape_formulas: bool) -> str | None:
        """Refuse columns that have no text."""
        unfit = columns_of_types(schema, (pa.types.is_nested, pa.types.is_binary))
        if not unfit:
            return None
        first = unfit[0]
        return (
            f"sink.format csv cannot hold column {first.name!r} of type {first.type}; "
            "use parquet or leave it out"
        )

    def open_writer(self, sink: Any, look: FileFormat) -> TableWriter:
        """Begin a file, with its header."""
        return CsvWriter(sink, look.schema, look.escape_formulas)

    def count_rows(self, url: str, file: Any) -> int:
        """Parse the file again."""
        return count_csv_rows(url, file)

    def read_schema(self, file: Any) -> pa.Schema | None:
        """Return None: CSV tells names alone."""
        return None


class CsvWriter:
    """A CSV file on its way; `escape_formulas` concerns texts and the header."""

    def __init__(self, sink: Any, schema: pa.Schema, escape_formulas: bool) -> None:
        self._escape = escape_table if escape_formulas else _leave_as_it_is
        # By way of a table, because the header's names are escaped, too.
        header = self._escape(schema.empty_table())
        self._writer = pacsv.CSVWriter(sink, header.schema)

    def write_table(self, table: pa.Table) -> None:
        """Append rows."""
        self._writer.write_table(self._escape(table))

    def close(self) -> None:
        """Finish the file; the sink stays open."""
        self._writer.close()


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
    """Count the rows of a CSV file as it was written here.

    Args:
        url: of the file, for errors.
        file: open for reading.

    Raises:
        PublishError: it cannot be read back.
    """
    parse = pacsv.ParseOptions(newlines_in_values=True)
    try:
        header = pacsv.open_csv(file, parse_options=parse).schema
        file.seek(0)
        # Else types are guessed from the first block, and a later one may not fit.
        types = dict.fromkeys(header.names, pa.binary())
        convert = pacsv.ConvertOptions(column_types=types)
        reader = pacsv.open_csv(file, parse_options=parse, convert_options=convert)
        return sum(block.num_rows for block in reader)
    except pa.ArrowInvalid as error:
        raise PublishError(f"{url}: cannot be read back: {error}") from error


def _leave_as_it_is(table: pa.Table) -> pa.Table:
    return table


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype))


def _escape_column(column: Any) -> Any:
    """Return texts, plain or in a dictionary, with apostrophes; other columns as they are."""
    texts = column
    if pa.types.is_dictionary(column.type):
        texts = column.cast(column.type.value_type)
    # Arrow has no kernel for views that matches a pattern.
    if pa.types.is_string_view(texts.type):
        texts = texts.cast(pa.string())
    if not _is_text(texts.type):
        return column
    is_formula = pc.match_substring_regex(texts, _FORMULA)
    apostrophe = pa.scalar("'", texts.type)
    nothing = pa.scalar("", texts.type)
    # The last argument is what stands between the others.
    escaped = pc.binary_join_element_wise(apostrophe, texts, nothing)
    return pc.if_else(is_formula, escaped, texts)
