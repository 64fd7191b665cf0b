"""A whole file of JSON lines as one table, for programs that score nothing: with scoring's reader.

What costs scoring a row refuses the file here: there are no books that a rejected row would stand in.
"""

import json

import pyarrow as pa
from pyarrow import Schema, Table

from configs.errors import InputError
from transforms.formats.json_parse import LineParser
from transforms.formats.json_shape import get_line
from transforms.formats.json_text import read_lines

# More than any preview shows.
_FIRST_ROWS = 100
# A number as its text, so that nothing of it is lost.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_ENDINGS = (".jsonl", ".ndjson")
_PACKED = ("", ".gz", ".zst", ".bz2", ".xz")


def is_json_lines(url: str) -> bool:
    """Tell whether a file's name says that it is JSON lines, plain or packed, in any letters."""
    endings = tuple(f"{ending}{packed}" for ending in _ENDINGS for packed in _PACKED)
    name = url.lower()
    return name.endswith(endings)


def read_json_table(url: str, schema: Schema) -> Table:
    """Return some columns of a file.

    Args:
        url: the file.
        schema: names and types of the columns; one that no line has is null.

    Raises:
        InputError: the file cannot be read, or has a bad line.
        JobError: a type that no JSON has.
    """
    parser = LineParser(schema)
    batches = []
    before = 0
    for lines in read_lines(url, max_expansion=None):
        parsed = parser.parse(lines)
        if parsed.reasons:
            first = min(parsed.reasons)
            row = before + first
            raise InputError(
                f"{url}: row {row}: {parsed.reasons[first]}; scoring would reject it; "
                "mend the row, or leave it out of the file"
            )
        batches.append(parsed.rows)
        before += len(lines)
    return Table.from_batches(batches, schema=schema)


def read_first_lines(url: str) -> Table:
    """Return the first rows of a file that was written here, all values as their text.

    Raises:
        InputError: the file cannot be read.
    """
    rows = []
    blocks = read_lines(url, max_expansion=None)
    for lines in blocks:
        count = min(len(lines), _FIRST_ROWS)
        for position in range(count):
            line = get_line(lines, position)
            row = _DECODER.decode(line.decode())
            rows.append({name: _show(value) for name, value in row.items()})
        break
    blocks.close()
    return pa.Table.from_pylist(rows)


def _show(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)
