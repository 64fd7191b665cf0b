"""The first rows of a published file of JSON lines, as they are shown, without a parser of columns."""

import json

import pyarrow as pa
from pyarrow import Table

from storage import files

# More than any preview shows.
_FIRST_ROWS = 100
_READ_BYTES = 1 << 20
# A number as its text, so that nothing of it is lost.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_ENDINGS = (".jsonl", ".ndjson")
_PACKED = ("", ".gz", ".zst", ".bz2", ".xz")


def is_json_lines(url: str) -> bool:
    """Tell whether a file's name says that it is JSON lines, plain or packed, in any letters.

    >>> is_json_lines("labels.JSONL.gz"), is_json_lines("labels.parquet")
    (True, False)
    """
    endings = tuple(f"{ending}{packed}" for ending in _ENDINGS for packed in _PACKED)
    name = url.lower()
    return name.endswith(endings)


def read_first_lines(url: str) -> Table:
    """Return the first rows of a plain file that was written here, all values as their text."""
    with files.open_read(url) as file:
        content: bytes = file.read(_READ_BYTES)
    # The last line may be there in part; of a longer one nothing can be shown.
    *lines, _ = content.split(b"\n")
    rows = []
    for line in lines[:_FIRST_ROWS]:
        text = line.decode()
        row = _DECODER.decode(text)
        shown = {name: _show(value) for name, value in row.items()}
        rows.append(shown)
    return pa.Table.from_pylist(rows)


def _show(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)
