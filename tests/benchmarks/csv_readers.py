"""Which reader of CSV loses no record: ours, pyarrow and DuckDB on random texts, against a slow state machine.

    python -m tests.benchmarks.csv_readers [TEXTS]

A text has a few rows of two columns, some of them well formed and some of random letters, in a random dialect. What
counts is the books: which records are read, with which values, and that each of the others is told.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
import random
import sys
import tempfile

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv

from configs.errors import InputError
from tests.support.csv_machine import REJECTED, Refused, read_books
from transforms.formats.csv_blocks import read_csv_blocks
from transforms.formats.csv_dialect import BLOCK_BYTES, CsvDialect

Fields = list[list[bytes | None]]
# The rows that were read, and how many others were told; None where the file is refused.
Books = tuple[Fields, int] | None
NAMES = ("a", "b")
LETTERS = ("d", "q", "q", "e", "x", "y", "\n", "\r", "\0", "\xff")


def make_text(rng: random.Random) -> tuple[bytes, CsvDialect]:
    dialect = CsvDialect(
        delimiter=rng.choice(",;"), quote=rng.choice("\"'"), escape=rng.choice([None, "\\"])
    )
    meaning = {"d": dialect.delimiter, "q": dialect.quote, "e": dialect.escape or "\\"}
    lines = ["adb"]
    for _ in range(rng.randint(1, 6)):
        is_random = rng.random() < 0.3
        lines.append("".join(rng.choices(LETTERS, k=rng.randint(1, 8))) if is_random else "xdy")
    text = "".join(meaning.get(letter) or letter for letter in "\n".join(lines) + "\n")
    return text.encode("latin-1"), dialect


def read_ours(path: Path, dialect: CsvDialect) -> Books:
    rows, broken = [], 0
    try:
        for block in read_csv_blocks(str(path), NAMES, dialect):
            rows += [list(row.values()) for row in block.fields.to_pylist()]
            broken += len(block.broken)
    except InputError:
        return None
    return rows, broken


def read_pyarrow(path: Path, dialect: CsvDialect) -> Books:
    broken = []

    def note(row: pacsv.InvalidRow) -> str:
        broken.append(row.number)
        return "skip"

    parse = pacsv.ParseOptions(
        delimiter=dialect.delimiter,
        quote_char=dialect.quote,
        escape_char=dialect.escape or False,
        newlines_in_values=True,
        invalid_row_handler=note,
    )
    convert = pacsv.ConvertOptions(
        check_utf8=False,
        column_types=dict.fromkeys(NAMES, pa.binary()),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        null_values=[""],
    )
    read = pacsv.ReadOptions(use_threads=False)
    try:
        table = pacsv.read_csv(path, read, parse, convert)
    except pa.ArrowInvalid:
        return None
    return [list(row.values()) for row in table.to_pylist()], len(broken)


def read_duckdb(path: Path, dialect: CsvDialect, strict: bool) -> Books:
    con = duckdb.connect(config={"threads": 1})
    try:
        found = con.execute(
            "SELECT * FROM read_csv(?, delim=?, quote=?, escape=?, header=true, auto_detect=false, nullstr='', "
            "columns={'a': 'VARCHAR', 'b': 'VARCHAR'}, store_rejects=true, strict_mode=?)",
            [
                str(path),
                dialect.delimiter,
                dialect.quote,
                dialect.escape or dialect.quote,
                strict,
            ],
        ).fetchall()
        told = con.execute("SELECT count(DISTINCT line) FROM reject_errors").fetchone()
    except duckdb.Error:
        return None
    rows = [[None if value is None else value.encode() for value in row] for row in found]
    return rows, told[0] if told else 0


def judge(found: Books, text: bytes, dialect: CsvDialect) -> str:
    """Compare the books with those of the state machine."""
    try:
        expected = read_books(text, dialect, BLOCK_BYTES)
    except Refused:
        return "reads what ends in quotes" if found else "right"
    if found is None:
        return "refuses the file for a row"
    rows, told = found
    good = [row for row in expected if row != REJECTED]
    if len(rows) + told < len(expected):
        return "loses records"
    if len(rows) + told > len(expected):
        return "invents records"
    return "right" if rows == good else "another verdict or value"


READERS: dict[str, Callable[[Path, CsvDialect], Books]] = {
    "ours": read_ours,
    "pyarrow": read_pyarrow,
    "DuckDB, strict": lambda path, dialect: read_duckdb(path, dialect, strict=True),
    "DuckDB, not strict": lambda path, dialect: read_duckdb(path, dialect, strict=False),
}


def compare(texts: int) -> dict[str, Counter[str]]:
    """Return how often each reader was right, and what it was otherwise."""
    rng = random.Random(5)  # noqa: S311 - texts, not secrets
    verdicts: dict[str, Counter[str]] = {name: Counter() for name in READERS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        for _ in range(texts):
            text, dialect = make_text(rng)
            path.write_bytes(text)
            for name, read in READERS.items():
                verdicts[name][judge(read(path, dialect), text, dialect)] += 1
    return verdicts


if __name__ == "__main__":
    for name, verdicts in compare(int(sys.argv[1]) if sys.argv[1:] else 1_000).items():
        print(f"{name:20}", ", ".join(f"{kind} {count}" for kind, count in verdicts.most_common()))
