"""CSV read byte by byte: a slow state machine that says what each record of a text is under a dialect."""

from dataclasses import dataclass, field, replace

from transforms.formats.csv_dialect import CsvDialect

REJECTED = "rejected"
Row = list[bytes | None] | str


@dataclass
class Record:
    """What the machine has met since a record began."""

    fields: list[tuple[bytes, bool]] = field(default_factory=list)
    is_blank: bool = True
    is_malformed: bool = False
    bytes: int = 0


class Refused(Exception):
    """Nobody can tell where a record ends, or what the columns are called."""


def read_books(text: bytes, dialect: CsvDialect, longest: int) -> list[Row]:
    """Return the fields of each row, or that it is rejected.

    Args:
        text: of a whole file.
        dialect: what it means.
        longest: how many bytes a record may have.

    Raises:
        Refused: the header is malformed, or the text ends inside quotes.
    """
    header, *records = read_records(text, dialect)
    if header.is_malformed:
        raise Refused
    width = len(header.fields)
    rows: list[Row] = []
    for record in records:
        if record.is_blank and width > 1:
            continue
        if record.is_malformed or len(record.fields) != width or record.bytes > longest:
            rows.append(REJECTED)
            continue
        rows.append(
            [
                None if not quoted and value.decode("latin-1") in dialect.null_values else value
                for value, quoted in record.fields
            ]
        )
    return rows


def read_records(text: bytes, dialect: CsvDialect) -> list[Record]:
    """Return the header and all records behind it, blank lines too."""
    found: list[Record] = []
    place = 0
    while place < len(text):
        # Names may hold line breaks where values do not.
        meaning = dialect if found else replace(dialect, newlines_in_values=True)
        record, place = _read_record(text, place, meaning)
        # Before the header, a blank line is nothing.
        if found or not record.is_blank:
            found.append(record)
    return found


def _read_record(text: bytes, place: int, dialect: CsvDialect) -> tuple[Record, int]:
    record = Record()
    start = place
    while True:
        value, quoted, place = _read_field(text, place, dialect, record)
        record.fields.append((value, quoted))
        if text[place : place + 1] != dialect.delimiter.encode():
            break
        record.is_blank = False
        place += 1
    record.is_blank = record.is_blank and not value and not quoted
    record.bytes = place - start
    return record, place + (2 if text[place : place + 2] == b"\r\n" else 1)


def _read_field(
    text: bytes, place: int, dialect: CsvDialect, record: Record
) -> tuple[bytes, bool, int]:
    """Read to a delimiter or a line end outside quotes, or the end of the text."""
    quote = dialect.quote.encode() if dialect.quote else None
    escape = dialect.escape.encode() if dialect.escape else None
    value = b""
    quoted = text[place : place + 1] == quote
    if quoted:
        place += 1
        while True:
            letter, following = text[place : place + 1], text[place + 1 : place + 2]
            if not dialect.newlines_in_values and letter in (b"", b"\r", b"\n"):
                record.is_malformed = True
                break
            if not letter:
                raise Refused
            if letter == escape:
                if following in (quote, escape):
                    value, place = value + following, place + 2
                    continue
                record.is_malformed = True
            elif letter == quote:
                if not (dialect.double_quote and following == quote):
                    place += 1
                    break
                place += 1
            value, place = value + letter, place + 1
    while text[place : place + 1] not in (b"", b"\r", b"\n", dialect.delimiter.encode()):
        record.is_malformed |= quoted
        value, place = value + text[place : place + 1], place + 1
    return value, quoted, place
