"""Whole CSV files as tables: what scoring reads is what comes out, and what costs it a row is refused."""

from collections.abc import Callable
import datetime
from decimal import Decimal
import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from configs.errors import InputError, JobError
from tests.support.builders import unit_of
from transforms.batches import RowRecord
from transforms.formats import csv_record_reader
from transforms.formats.csv import CsvFormat
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_output import CsvWriter
from transforms.formats.csv_table import read_csv_table, read_first_texts
from transforms.read_unit import read_unit

PLAIN = CsvDialect()
SCHEMA = pa.schema([("s", pa.string()), ("n", pa.int64())])


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    def write(content: bytes, name: str = "a.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


CONTENTS = [
    b'n,s,t\n1,00501,\n2,"",x\n,,"y"\n3,NA,z\n',
    b'n,s\r\n1,"a\r\nb"\r\n\r\n2,"say ""hi"""\r\n',
    b'\xef\xbb\xbfn,s\r1,\0\r2,5" pipe',
    b"n,s\n",
]


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("block_bytes", [20, 1 << 20])
def test_it_is_what_scoring_reads(
    content: bytes, block_bytes: int, file: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_record_reader, "_BLOCK_BYTES", block_bytes)
    url = file(content)
    unit = unit_of(Path(url), None)
    batches = read_unit(unit, SCHEMA, CsvFormat(PLAIN), 1_000, RowRecord(None))
    scored = [row for batch in batches for row in batch.rows.to_pylist()]
    assert read_csv_table(url, SCHEMA, PLAIN).to_pylist() == scored
    assert (
        read_csv_table(file(gzip.compress(content), "a.CSV.GZ"), SCHEMA, PLAIN).to_pylist()
        == scored
    )


def test_the_dialect_is_the_one_that_is_declared(file: Callable[..., str]) -> None:
    dialect = CsvDialect(delimiter=";", quote="'", null_values=("-",), encoding="latin-1")
    url = file("n;s\n-;'a;b'\n2;\xe9\n".encode("latin-1"))
    assert read_csv_table(url, SCHEMA, dialect).to_pydict() == {"n": [None, 2], "s": ["a;b", "é"]}


@pytest.mark.parametrize("content", [b's,n\n"a,1\nb""c,2\n', b's,n\r"a,1\r\nb""c,2'])
def test_without_a_quote_quotes_are_letters(content: bytes, file: Callable[..., str]) -> None:
    read = read_csv_table(file(content), SCHEMA, CsvDialect(quote=None))
    assert read.to_pydict() == {"s": ['"a', 'b""c'], "n": [1, 2]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"n,s\n1,a\n2\n3\n", r"a\.csv: row 1: row has 1 fields, the header has 2; scoring would"),
        (b'n,s\n1,a\n2,"b"c\n', r"a\.csv: row 1: malformed quoting: a closing quote has text"),
        (b"n,s\n1,a\nsecret,b\n", r"a\.csv: row 1: column 'n': not a valid int64; scoring would"),
        (b"n,s\n1,\xe9\nx,b,c\n", r"a\.csv: row 0: column 's': not a valid string"),
        (b'n,s\n1,"a\n2,b\n', r"a\.csv: line 2: row 0: a quote opens a field and does not"),
        (b"n,S\n1,a\n", r"a\.csv: has no column 's'; did you mean S"),
        (b"n,s,s\n1,a,b\n", r"a\.csv: has 2 columns called 's'"),
        (b"", r"a\.csv: cannot be read as CSV"),
    ],
)
def test_what_costs_scoring_a_row_or_the_file_is_refused(
    content: bytes, message: str, file: Callable[..., str]
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_csv_table(file(content), SCHEMA, PLAIN)
    assert "secret" not in str(caught.value)


def test_a_type_that_no_text_has_is_refused(file: Callable[..., str]) -> None:
    with pytest.raises(JobError, match="CSV cannot be read as duration"):
        read_csv_table(file(b"n\n1\n"), pa.schema([("n", pa.duration("s"))]), PLAIN)


MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 15)
WRITTEN: list[tuple[pa.DataType, list[Any]]] = [
    (pa.bool_(), [True, False, None]),
    (pa.uint64(), [2**64 - 1, None]),
    (pa.float16(), [0.5, -2.0, None]),
    (pa.float64(), [0.1, 1e308, float("inf"), float("nan")]),
    (pa.decimal128(9, 2), [Decimal("-1.50"), None]),
    (pa.date32(), [datetime.date(2024, 2, 29), None]),
    (pa.time64("us"), [datetime.time(12, 30, 15, 7), None]),
    (pa.timestamp("us"), [MOMENT, None]),
    (pa.timestamp("ms", "UTC"), [MOMENT.replace(tzinfo=datetime.UTC), None]),
    (pa.large_string(), ["", None, "a\r\nb", 'say "hi"', "00501", "NA", "\0"]),
]


@pytest.mark.parametrize(("dtype", "values"), WRITTEN, ids=[str(dtype) for dtype, _ in WRITTEN])
def test_what_scoring_publishes_comes_back(
    dtype: pa.DataType, values: list[Any], file: Callable[..., str]
) -> None:
    table = pa.table({"n": pa.array(range(len(values))), "v": pa.array(values, type=dtype)})
    sink = io.BytesIO()
    writer = CsvWriter(sink, table.schema, escape_formulas=False)
    writer.write_table(table)
    writer.close()
    read = read_csv_table(file(sink.getvalue()), table.schema, PLAIN)
    assert read.schema == table.schema
    # NaN is no value's equal, but its own text's.
    assert read.column("v").to_pylist().__repr__() == table.column("v").to_pylist().__repr__()


def test_first_rows_are_shown_as_the_file_has_them(file: Callable[..., str]) -> None:
    url = file(b'n,s\n00501,1e5\n,""\n2,\xff\n3\n')
    assert read_first_texts(url, PLAIN).to_pydict() == {
        "n": ["00501", None, "2"],
        "s": ["1e5", "", None],
    }
    assert read_first_texts(file(b"n,s\n"), PLAIN).to_pydict() == {"n": [], "s": []}
    many = b"n\n" + b"1\n" * 1_000
    assert read_first_texts(file(many), PLAIN).num_rows == 100
