"""How scored tables become CSV: Arrow's writer, with texts that a spreadsheet would run made harmless where the job asks for it.

A spreadsheet takes a field that begins with `=` or the like for a formula, which can fetch and send. The apostrophe before it says
that it is text. One is put before such texts, and before those that look as if one had been put already, so that taking the first
apostrophe off every text that matches `'+[=+-@...]` gives back what was scored. Numbers, and a minus before one, stay as they are.
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from configs.errors import PublishError

# Also line ends and tabs, which some programs skip, and the wide forms that Japanese and Chinese keyboards type.
_FORMULA = "^'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"


class CsvWriter:
    """A CSV file on its way; `escape_formulas` concerns texts and the header."""

    def __init__(self, sink: Any, schema: pa.Schema, escape_formulas: bool) -> None:
        self._escape = escaped if escape_formulas else _as_it_is
        self._writer = pacsv.CSVWriter(sink, self._escape(schema.empty_table()).schema)

    def write_table(self, table: pa.Table) -> None:
        """Append rows."""
        self._writer.write_table(self._escape(table))

    def close(self) -> None:
        """Finish the file; the sink stays open."""
        self._writer.close()


def escaped(table: pa.Table) -> pa.Table:
    """The table with an apostrophe before every text, and every column name, that would be taken for a formula.

    >>> escaped(pa.table({"=a": ["-1", "'=x", "b-1"], "n": [-1, 0, 1]})).to_pydict()
    {"'=a": ["'-1", "''=x", 'b-1'], 'n': [-1, 0, 1]}
    """
    names = _escape(pa.array(table.column_names, type=pa.string())).to_pylist()
    return pa.table([_escape(column) for column in table.columns], names=names)


def count_csv_rows(url: str, file: Any) -> int:
    """Rows of a CSV file as it was written here."""
    try:
        options = pacsv.ParseOptions(newlines_in_values=True)
        names = pacsv.open_csv(file, parse_options=options).schema.names
        file.seek(0)
        as_bytes = pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.binary()))  # else guessed from the first block
        return sum(b.num_rows for b in pacsv.open_csv(file, parse_options=options, convert_options=as_bytes))
    except pa.ArrowInvalid as error:
        raise PublishError(f"{url}: cannot be read back: {error}") from error


def _as_it_is(table: pa.Table) -> pa.Table:
    return table


def _escape(column: Any) -> Any:
    """Texts, plain or in a dictionary, with the apostrophe where one is needed; other columns as they are."""
    dtype = column.type
    texts = column.cast(dtype.value_type) if pa.types.is_dictionary(dtype) else column
    texts = texts.cast(pa.string()) if pa.types.is_string_view(texts.type) else texts
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        return column
    formula = pc.match_substring_regex(texts, _FORMULA)
    return pc.if_else(formula, pc.binary_join_element_wise(pa.scalar("'", texts.type), texts, pa.scalar("", texts.type)), texts)
