"""Numbers that the parser makes are those that a look at each field makes, and no value is read that is none."""

from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest

from configs.errors import RejectedRows
from tests.faults.counts import full_or
from transforms.formats import csv_fields
from transforms.formats.csv_blocks import read_csv_blocks
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_numbers import (
    NumberTypes,
    holds_infinity,
    list_number_types,
    may_differ,
)
from transforms.formats.csv_records import find_records
from transforms.formats.csv_values import convert_fields

TABLES = full_or(10, 2_000)
SCHEMA = pa.schema({"i": pa.int64(), "f": pa.float32(), "t": pa.string()})
TYPES = {"i": pa.int64(), "f": pa.float32()}
ODD = ["", " 1", "1 ", "\t1", "0x1F", "-0X1", "1e400", "-1e39", "inf", "-inf", "nan", "1_0", "NA"]
INTEGERS = st.integers(-(2**63), 2**63 - 1).map(str)
FLOATS = st.floats(width=32, allow_nan=False).map(str)
VALUES = st.sampled_from(ODD) | INTEGERS | FLOATS
TEXTS = st.sampled_from(["a", "a b", " a", "0x", "", "é"])
QUOTED = st.booleans()


def write(path: Path, rows: Sequence[Sequence[str]]) -> str:
    text = "i,f,t\n" + "".join(",".join(row) + "\n" for row in rows)
    path.write_text(text)
    return str(path)


def read(url: str, numbers: NumberTypes | None, dialect: CsvDialect) -> list[object]:
    """Each row's values, or why it is rejected; a NaN as a word, as none is equal to another."""
    (block,) = read_csv_blocks(url, SCHEMA.names, dialect, numbers=numbers)
    found: list[object] = []
    for position in range(block.fields.num_rows):
        row = block.fields.slice(position, 1)
        try:
            converted = convert_fields(row, SCHEMA)
        except RejectedRows as rejected:
            found.append(str(rejected.reasons[0]))
            continue
        values = converted.to_pylist()[0].values()
        found.append(["nan" if value != value else value for value in values])
    return found


@st.composite
def tables(draw: Callable) -> list[list[str]]:
    rows = draw(st.lists(st.tuples(VALUES, VALUES, TEXTS), min_size=1, max_size=6))
    quotes = draw(QUOTED)
    return [[f'"{v}"' if quotes and draw(QUOTED) else v for v in row] for row in rows]


@settings(
    max_examples=TABLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=tables(), null_values=st.sampled_from([("",), ("", "NA"), ("NA",)]))
def test_a_table_is_read_as_field_by_field(
    rows: list[list[str]], null_values: tuple[str, ...], tmp_path: Path
) -> None:
    url = write(tmp_path / "a.csv", rows)
    dialect = CsvDialect(null_values=null_values)
    assert read(url, TYPES, dialect) == read(url, None, dialect)


@pytest.mark.parametrize("odd", [*ODD, "\0", '"NA"', '" 1"', '""'])
@pytest.mark.parametrize("column", [0, 1])
def test_one_odd_value_is_read_as_field_by_field(odd: str, column: int, tmp_path: Path) -> None:
    row = ["7", "0.5", "a"]
    row[column] = odd
    url = write(tmp_path / "a.csv", [["1", "2.5", "a b"], row, ["3", "-0.25", ""]])
    dialect = CsvDialect(null_values=("", "NA"))
    assert read(url, TYPES, dialect) == read(url, None, dialect)


def test_numbers_are_made_by_the_parser_where_all_are_some(tmp_path: Path) -> None:
    url = write(tmp_path / "a.csv", [["1", "2.5", "a b"], ["", "", "c"]])
    (block,) = read_csv_blocks(url, SCHEMA.names, CsvDialect(), numbers=TYPES)
    assert block.fields.schema.types == [pa.int64(), pa.float32(), pa.binary()]


def test_malformed_values_in_block_after_block_are_not_read_twice_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed = []
    real = csv_fields.FieldParser._parse_text
    monkeypatch.setattr(
        csv_fields.FieldParser, "_parse_text", lambda *told: parsed.append(1) or real(*told)
    )
    parser = csv_fields.FieldParser(1, [0], CsvDialect(), {0: pa.int64()})
    for _ in range(10):
        found = parser.parse(find_records(b"1\nx\n", CsvDialect(), is_last=True))
        assert found.fields.column(0).to_pylist() == [b"1", b"x"]
    assert len(parsed) == 10 + csv_fields._MOST_VAIN


@pytest.mark.parametrize(
    ("dtype", "is_one"),
    [
        (pa.int8(), True),
        (pa.uint64(), True),
        (pa.float32(), True),
        (pa.float64(), True),
        (pa.float16(), False),
        (pa.bool_(), False),
        (pa.string(), False),
        (pa.date32(), False),
        (pa.decimal128(9, 2), False),
    ],
)
def test_only_plain_numbers_are_the_parsers(dtype: pa.DataType, is_one: bool) -> None:
    schema = pa.schema({"c": dtype})
    assert bool(list_number_types(schema, CsvDialect())) == is_one
    assert not list_number_types(schema, CsvDialect(decimal=","))


@pytest.mark.parametrize(
    ("text", "differs"),
    [
        (b"1,2,a\n", False),
        (b"1,2,a b\n", False),
        (b"1,2, a\n", True),
        (b"1,2,a \n", True),
        (b"1,2,a \r\n", True),
        (b" 1,2,a\n", True),
        (b"1\t,2,a\n", True),
        (b'1,"2 ",a\n', True),
        (b"1,2,a\n3 ", True),
        (b"1,2,0x\n", True),
        (b"1,2,0X\n", True),
        (b"x,2,1x\n", False),
    ],
)
def test_what_a_parser_would_take_for_a_number(text: bytes, differs: bool) -> None:
    assert may_differ(text, CsvDialect(), TYPES) is differs


def test_hexadecimal_is_no_matter_of_floats_nor_a_tab_that_separates_of_anything() -> None:
    floats = {"f": pa.float32()}
    assert not may_differ(b"0x,1\n", CsvDialect(), floats)
    assert not may_differ(b"1\t2\n", CsvDialect(delimiter="\t"), TYPES)
    assert may_differ(b"1\t 2\n", CsvDialect(delimiter="\t"), TYPES)


@pytest.mark.parametrize(
    ("values", "is_infinite"),
    [([1, None], False), ([np.inf, 1], True), ([np.inf, -np.inf], True), ([np.nan], False)],
)
def test_an_infinity_is_found(values: list[float | None], is_infinite: bool) -> None:
    rows = pa.RecordBatch.from_pydict(
        {"f": pa.array(values, pa.float32()), "i": pa.array([1] * len(values))}
    )
    assert holds_infinity(rows, TYPES) is is_infinite


@pytest.mark.parametrize(
    ("text", "differs"),
    [
        (b"12,3\n", False),
        (b"0x1F,3\n", True),
        (b"1,-0X1", True),
        # Before the first byte stands no 0, and behind the last one nothing is known.
        (b"x,3\n10", False),
        (b"ax,3\n", False),
        (b" 1,3\n", True),
        (b"1 ,3\n", True),
        (b"1,3 ", True),
        (b"1\t,3\n", True),
        (b"a b,3\n", False),
    ],
    ids=str,
)
def test_a_text_is_looked_at_for_blanks_and_hexadecimals(text: bytes, differs: bool) -> None:
    assert may_differ(text, CsvDialect(), {"i": pa.int64()}) is differs


def test_hexadecimals_are_looked_for_where_there_are_integers_and_tabs_where_they_separate_nothing() -> (
    None
):
    assert not may_differ(b"0x1F,3\n", CsvDialect(), {"f": pa.float32()})
    assert not may_differ(b"1\t3\n", CsvDialect(delimiter="\t"), {"i": pa.int64()})
