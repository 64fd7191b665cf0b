"""Random tables in random dialects, some of whose rows are malformed: each costs itself, whole or cut.

What comes out is known twice: from how the table was made, and from a slow state machine.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.faults.counts import full_or
from tests.support.builders import unit_of
from tests.support.csv_books import Entry, cut_file, read_entries
from tests.support.csv_machine import REJECTED, read_books
from transforms.formats import csv_record_reader, csv_split
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_records import GLUED, LONE_ESCAPE, UNCLOSED

TABLES = full_or(25, 2_000)
# The last one holds every table, and so no row too long.
BLOCK_BYTES = (150, 400, 1 << 20)
PIECE_BYTES = (30, 170, 1_100)


@dataclass
class Table:
    """A table as text, and what is known of each of its rows: its values, or how its message begins.

    Attributes:
        longest: how many bytes a record may have; None where all have fewer.
        width: of well-formed rows.
    """

    random: np.random.Generator
    dialect: CsvDialect
    longest: int | None
    width: int
    text: str = ""
    rows: list[Entry] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [f"c{number}" for number in range(self.width)]

    def choose(self, *options: str) -> str:
        return str(self.random.choice(options))

    def make_value(self) -> str | None:
        letters = ["a", "b", " ", "é", "\0", self.dialect.delimiter]
        dialect = self.dialect
        if dialect.escape is not None or dialect.double_quote:
            letters.append(str(dialect.quote))
        if dialect.escape is not None:
            letters.append(dialect.escape)
        if dialect.newlines_in_values:
            letters += ["\n", "\r", "\r\n"]
        letter_count = self.random.integers(0, 5)
        value = "".join(self.random.choice(letters, letter_count))
        return None if self.random.random() < 0.1 else value

    def quote(self, value: str) -> str:
        """Return a value in quotes, as the dialect has it."""
        quote, escape = str(self.dialect.quote), self.dialect.escape
        if escape is not None:
            value = value.replace(escape, escape * 2)
        written = [way for way in (escape, quote * self.dialect.double_quote) if way]
        inside = self.choose(*written) + quote if written else ""
        return quote + value.replace(quote, inside) + quote

    def write_value(self, value: str | None) -> str:
        if value is None:
            return ""
        meaningful = f"\r\n{self.dialect.delimiter}"
        is_plain = not any(letter in value for letter in meaningful)
        is_plain = is_plain and value != "" and not value.startswith(str(self.dialect.quote))
        if is_plain and self.random.random() < 0.5:
            return value
        return self.quote(value)

    def add_row(self) -> None:
        values = [self.make_value() for _ in range(self.width)]
        # Else it is a blank line where there is one column, and a row of nulls elsewhere.
        values[0] = values[0] or "x"
        entry: Entry = [None if value is None else value.encode() for value in values]
        fields = [self.write_value(value) for value in values]
        if self.random.random() < 0.3:
            entry = self.spoil(fields)
        self.text += self.dialect.delimiter.join(fields)
        self.text += self.choose("\n", "\r\n", "\r", "\n\n", "\n\r\n")
        self.rows.append(entry)

    def spoil(self, fields: list[str]) -> str:
        """Make a row of fields a malformed one, and return how its message begins."""
        quote, escape = str(self.dialect.quote), self.dialect.escape
        position = int(self.random.integers(0, self.width))
        kinds = ["wide", "narrow", "glued"]
        if self.longest is not None:
            kinds.append("overlong")
        if escape is not None:
            kinds.append("lone escape")
        if not self.dialect.newlines_in_values:
            kinds.append("unclosed")
        kind = self.choose(*kinds)
        line_break = "\n" if self.dialect.newlines_in_values else ""
        if kind == "wide":
            fields.insert(position, self.quote(f"a{line_break}"))
            return f"row has {self.width + 1} fields, the header has {self.width}"
        if kind == "narrow":
            del fields[position]
            fields[0] = self.quote(f"b{line_break}")
            return f"row has {self.width - 1} fields, the header has {self.width}"
        if kind == "glued":
            fields[position] = self.quote(f"a{line_break}{line_break}") + "b"
            return f"malformed quoting: {GLUED}"
        if kind == "lone escape":
            fields[position] = f"{quote}a{line_break}{escape}b{quote}"
            return f"malformed quoting: {LONE_ESCAPE}"
        if kind == "unclosed":
            # Behind it a closing quote of the same line would close it.
            fields[position:] = [quote + "a"]
            return f"malformed quoting: {UNCLOSED}"
        fields[position] = self.quote("x" * (self.longest or 0) + line_break)
        return "row has more than 8,388,608 bytes"


def make_table(seed: int, longest: int | None) -> Table:
    random = np.random.default_rng(seed)
    dialect = CsvDialect(
        delimiter=str(random.choice([",", ";", "\t", "|"])),
        quote=str(random.choice(['"', "'"])),
        escape=random.choice([None, "\\", "^"]),
        double_quote=bool(random.integers(0, 2)),
        newlines_in_values=bool(random.integers(0, 2)),
    )
    table = Table(random, dialect, longest, width=int(random.integers(2, 6)))
    table.text = dialect.delimiter.join(table.names) + table.choose("\n", "\r\n", "\n\n")
    for _ in range(random.integers(0, 60)):
        table.add_row()
    if random.integers(0, 2):
        table.text = table.text.rstrip("\r\n")
    return table


def agree(entries: list[Entry], expected: list[Entry]) -> bool:
    """Tell whether rows have the expected values, or are rejected for the expected reasons."""
    pairs = zip(entries, expected, strict=True)
    return all(
        entry.startswith(known)
        if isinstance(entry, str) and isinstance(known, str)
        else entry == known
        for entry, known in pairs
    )


@pytest.mark.slow
@pytest.mark.parametrize("block_bytes", BLOCK_BYTES)
def test_each_row_of_a_random_table_is_scored_or_rejected_by_its_number(
    block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_record_reader, "_BLOCK_BYTES", block_bytes)
    path = tmp_path / "a.csv"
    several_units = 0
    for seed in range(TABLES):
        table = make_table(seed, None if block_bytes == BLOCK_BYTES[-1] else block_bytes)
        text = table.text.encode()
        path.write_bytes(text)
        by_machine = read_books(text, table.dialect, block_bytes)
        assert [REJECTED if isinstance(row, str) else row for row in table.rows] == by_machine

        whole = read_entries((unit_of(path, None),), table.names, table.dialect)
        assert agree(whole, table.rows), seed
        for piece_bytes in PIECE_BYTES:
            monkeypatch.setattr(csv_split, "PIECE_BYTES", piece_bytes)
            units = cut_file(path, table.names, table.dialect)
            several_units += len(units) > 1
            assert read_entries(units, table.names, table.dialect) == whole, seed
    assert several_units > TABLES // 2
