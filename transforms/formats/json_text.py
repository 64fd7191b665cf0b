"""The lines of a file of JSON lines, a block at a time, from a disk or a store, unpacked.

They are found as those of a CSV file without quotes are: a line ends with a line feed, a return, or
both, and a blank one is none. None of the two stands in a JSON text as such.
"""

import codecs
from collections.abc import Generator
from contextlib import closing

from configs.errors import InputError
from transforms.formats.csv_bytes import CsvFile, CsvPiece, StoredBytes
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_record_reader import RecordReader
from transforms.formats.csv_records import Records
from transforms.formats.csv_text import CsvText

_KIND = "JSON lines"
_MARK = codecs.BOM_UTF8


def read_lines(
    url: str,
    max_expansion: int | None,
    piece: CsvPiece | None = None,
) -> Generator[Records]:
    """Yield the lines of a file that are not blank, in blocks.

    Args:
        url: the file.
        max_expansion: how many times its stored size it may hold, unpacked; None for the default.
        piece: which lines of it; None for all.

    Raises:
        InputError: the file cannot be read or unpacked, or a piece has other lines than were counted.
    """
    dialect = CsvDialect(
        max_expansion=max_expansion,
        newlines_in_values=False,
        quote=None,
    )
    first_row = 0
    if piece is not None:
        first_row = piece.first_row
    count = 0
    with CsvFile(url, piece) as file:
        # How a file is packed its start tells, which was looked at before it was cut.
        text = CsvText(url, dialect, file, kind=_KIND, from_start=piece is None)
        reader = RecordReader(url, text, dialect, first_row)
        for lines in reader.read_blocks(is_column=False):
            count += len(lines)
            yield lines
    if piece is not None and count != piece.rows:
        raise InputError(
            f"{url}: has {count} lines from row {first_row} on where "
            f"{piece.rows} were counted; start the run again"
        )


def count_mark_bytes(url: str) -> int:
    """Return how many bytes of a file are its byte-order mark."""
    with closing(StoredBytes(url, ahead=False)) as stored:
        start = stored.read(len(_MARK))
    if start == _MARK:
        return len(_MARK)
    return 0
