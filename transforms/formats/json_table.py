"""A whole file of JSON lines as one table, for programs that score nothing: with scoring's reader.

What costs scoring a row refuses the file here: there are no books that a rejected row would stand in.
"""

from pyarrow import Schema, Table

from configs.errors import InputError
from transforms.formats.json_parse import LineParser
from transforms.formats.json_text import read_lines


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
