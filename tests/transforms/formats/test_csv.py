from collections.abc import Callable
import csv as standard_csv
import gzip
import io
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest
import zstandard

from configs.errors import InputError, RejectedRows
from storage.input_file import InputFile
from tests.faults.counts import full_or
from tests.support.builders import make_unit, unit_of
from transforms.batches import RawBatch, RowRecord
from transforms.formats import csv_blocks, csv_record_reader
from transforms.formats.column import Column
from transforms.formats.csv import CsvFormat, _get_piece
from transforms.formats.csv_blocks import read_csv_blocks, read_header
from transforms.formats.csv_bytes import CsvPiece
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_values import convert_fields, convert_valid
from transforms.read_unit import read_unit

PLAIN = CsvDialect()
SCHEMA = pa.schema([("id", pa.int64()), ("x", pa.float64()), ("s", pa.string())])


def read(
    path: Path,
    schema: pa.Schema = SCHEMA,
    csv: CsvDialect = PLAIN,
    rows_per_batch: int = 1_000,
    key: str | None = "id",
) -> list[RawBatch]:
    batches = list(
        read_unit(unit_of(path, None), schema, CsvFormat(csv), rows_per_batch, RowRecord(key))
    )
    check_books(batches)
    return batches


def look_at(path: Path) -> None:
    """Look at the header and the first rows, as the launcher does."""
    file = InputFile(str(path), path.stat().st_size, "v")
    CsvFormat().inspect(file, [Column(field.name, field.type) for field in SCHEMA])


def check_books(batches: list[RawBatch]) -> None:
    """Batches stand end to end, and only the last one says that it is."""
    next_row = 0
    for batch in batches:
        assert batch.id.first_row == next_row
        next_row += batch.rows_in
        assert len(batch.row_numbers) == len(batch)
    assert [b.last for b in batches] == [False] * (len(batches) - 1) + [True]


def rows_of(batches: list[RawBatch]) -> list[dict[str, Any]]:
    return [row for b in batches for row in b.rows.to_pylist()]


def failed_of(batches: list[RawBatch]) -> dict[int, tuple[Any, str]]:
    """Row number to (key, message) of the rejected rows."""
    return {
        r["row"]: (r.get("key"), r["message"])
        for b in batches
        for f in b.rejected
        for r in f.rows.to_pylist()
    }


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str | bytes, name: str = "a.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def tiny_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 100 bytes, so that small files have many."""
    monkeypatch.setattr(csv_record_reader, "_BLOCK_BYTES", 100)


def test_values_have_their_declared_types(file: Callable[..., Path]) -> None:
    schema = pa.schema(
        [
            ("zip", pa.string()),
            ("big", pa.int64()),
            ("d", pa.date32()),
            ("t", pa.timestamp("us")),
            ("ok", pa.bool_()),
            ("raw", pa.binary()),
            ("m", pa.decimal128(9, 2)),
        ]
    )
    path = file(
        "zip,big,d,t,ok,raw,m\n00501,9223372036854775807,2024-02-29,2024-02-29 12:00:00,true,\xff,1.50\n".encode(
            "latin-1"
        )
    )
    (batch,) = read(path, schema, key=None)
    assert batch.rows.schema == schema
    (row,) = batch.rows.cast(
        pa.schema([f if f.name not in "dtm" else pa.field(f.name, pa.string()) for f in schema])
    ).to_pylist()
    assert row["zip"] == "00501"
    assert row["big"] == 2**63 - 1
    assert (row["d"], row["m"], row["ok"], row["raw"]) == ("2024-02-29", "1.50", True, b"\xff")
    assert row["t"].startswith("2024-02-29 12:00:00")


def test_columns_are_projected_and_put_in_the_schemas_order(file: Callable[..., Path]) -> None:
    assert read(file("other,s,id,x\nq,text,1,2.5\n"))[0].rows.to_pylist() == [
        {"id": 1, "x": 2.5, "s": "text"}
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("final", [True, False])
def test_line_ends_and_byte_order_marks(
    file: Callable[..., Path], end: str, bom: bytes, final: bool
) -> None:
    text = end.join(["id,x,s", "1,1.5,a", "2,2.5,b"]) + (end if final else "")
    assert rows_of(read(file(bom + text.encode()))) == [
        {"id": 1, "x": 1.5, "s": "a"},
        {"id": 2, "x": 2.5, "s": "b"},
    ]


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_compressed_files(file: Callable[..., Path], compression: str) -> None:
    text = "id,x,s\n" + "".join(f'{i},{i}.5,"t\n{i}"\n' for i in range(1_000))
    content = (
        gzip.compress(text.encode()) if compression == "gz" else zstandard.compress(text.encode())
    )
    path = file(content, f"a.csv.{compression}")
    assert read_header(str(path), CsvDialect()) == ["id", "x", "s"]
    assert [r["s"] for r in rows_of(read(path))] == [f"t\n{i}" for i in range(1_000)]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst"])
def test_a_cut_or_wrongly_named_compressed_file_is_refused(
    file: Callable[..., Path], name: str
) -> None:
    random = np.random.default_rng(1)
    text = "id,x,s\n" + "".join(f"{i},{random.random()},{random.random()}\n" for i in range(5_000))
    whole = (
        gzip.compress(text.encode()) if name.endswith("gz") else zstandard.compress(text.encode())
    )
    with pytest.raises(InputError, match=r"a\.csv"):
        read(file(whole[: len(whole) // 2], name))
    with pytest.raises(InputError, match=r"a\.csv"):
        read(file(text, name))


def test_quoted_fields_hold_anything(file: Callable[..., Path]) -> None:
    path = file(
        'id,x,s\n1,1,"a\nb"\n2,2,"with ""quotes"""\n3,3,"comma, and\r\nline"\n"4","4",plain\n'
    )
    assert [r["s"] for r in rows_of(read(path))] == [
        "a\nb",
        'with "quotes"',
        "comma, and\r\nline",
        "plain",
    ]
    assert [r["id"] for r in rows_of(read(path))] == [1, 2, 3, 4]


def test_an_unquoted_empty_field_is_null_and_a_quoted_one_is_empty_text(
    file: Callable[..., Path],
) -> None:
    assert [r["s"] for r in rows_of(read(file('id,x,s\n1,1,\n2,2,""\n3,3,NA\n')))] == [
        None,
        "",
        "NA",
    ]
    csv = CsvDialect(null_values=("NA", "-"))
    assert [
        (r["x"], r["s"]) for r in rows_of(read(file('id,x,s\n1,NA,"NA"\n2,-,-\n3,3,\n'), csv=csv))
    ] == [
        (None, "NA"),
        (None, None),
        (3.0, ""),
    ]


def test_other_delimiters(file: Callable[..., Path]) -> None:
    assert rows_of(read(file("id;x;s\n1;2.5;a,b\n"), csv=CsvDialect(delimiter=";"))) == [
        {"id": 1, "x": 2.5, "s": "a,b"}
    ]


def test_header_only_gives_one_empty_batch_of_the_full_schema(file: Callable[..., Path]) -> None:
    for text in ("id,x,s\n", "id,x,s\r\n"):
        (batch,) = read(file(text))
        assert (len(batch), batch.last, batch.rows.schema) == (0, True, SCHEMA)


def test_a_header_with_a_malformed_name_is_refused(file: Callable[..., Path]) -> None:
    with pytest.raises(
        InputError, match=r"a.csv: the header: a closing quote has text behind it; mend"
    ):
        read_header(str(file('id,"x"y,s\n1,2.5,a\n')), CsvDialect())


def test_a_file_without_a_byte_is_refused(file: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"a.csv: cannot be read as CSV: .*mpty"):
        read(file(""))
    with pytest.raises(InputError, match=r"a.csv: cannot be read as CSV"):
        read_header(str(file("")), CsvDialect())


def test_a_missing_column_is_refused(file: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"a\.csv"):
        read(file("id,s\n1,a\n"))


def test_rows_of_the_wrong_width_are_rejected_with_their_numbers(file: Callable[..., Path]) -> None:
    batches = read(file('id,x,s\n1,1\n2,2,"a\nb"\n3,3,c,d\n4,4,e\n5\n'))
    assert [r["id"] for r in rows_of(batches)] == [2, 4]
    assert [n for b in batches for n in b.row_numbers.tolist()] == [1, 3]
    assert failed_of(batches) == {
        0: (None, "row has 2 fields, the header has 3"),
        2: (None, "row has 4 fields, the header has 3"),
        4: (None, "row has 1 fields, the header has 3"),
    }


def test_a_file_of_broken_rows_only(file: Callable[..., Path]) -> None:
    batches = read(file("id,x,s\n1\n2\n3\n"))
    assert rows_of(batches) == []
    assert set(failed_of(batches)) == {0, 1, 2}


def test_malformed_values_are_rejected_with_number_and_key_and_never_quoted(
    file: Callable[..., Path],
) -> None:
    batches = read(file(b"id,x,s\n1,1.5,a\n2,secret,b\n9223372036854775808,1,c\n4,4,\xe9\n5,5,e\n"))
    assert [r["id"] for r in rows_of(batches)] == [1, 5]
    assert failed_of(batches) == {
        1: (2, "column 'x': not a valid double"),
        2: (None, "column 'id': not a valid int64"),
        3: (4, "column 's': not a valid string"),
    }
    assert [b.row_numbers.tolist() for b in batches] == [[0, 4]]


@pytest.mark.parametrize(
    "text", ["1.0", "0x1g", "1e3", "--1", "1 2", "9223372036854775808", "-9223372036854775809"]
)
def test_what_is_not_an_integer_is_rejected(file: Callable[..., Path], text: str) -> None:
    assert set(failed_of(read(file(f"id,x,s\n1,1,a\n{text},1,b\n")))) == {1}


def test_a_column_that_is_of_another_type_altogether_is_refused(file: Callable[..., Path]) -> None:
    path = file("id,x,s\n" + "".join(f"{i},abc,s\n" for i in range(100)))
    with pytest.raises(InputError, match=r"a.csv: column 'x' does not hold values of type double"):
        look_at(path)


def test_a_look_at_the_first_rows_lets_single_bad_values_and_empty_files_pass(
    file: Callable[..., Path],
) -> None:
    look_at(file("id,x,s\n1,abc,s\n2,2,s\n"))
    look_at(file("id,x,s\n"))


@pytest.mark.parametrize(("bad", "passes"), [(999, True), (1_000, False)])
def test_the_first_thousand_values_are_looked_at(
    file: Callable[..., Path], bad: int, passes: bool
) -> None:
    path = file("id,x,s\n" + "".join(f"{i},abc,s\n" for i in range(bad)) + "7,0.5,s\n" * 3)
    if passes:
        look_at(path)
        return
    with pytest.raises(InputError, match="column 'x' does not hold values of type double"):
        look_at(path)


def test_what_is_left_of_a_row_with_a_malformed_value_is_kept() -> None:
    fields = pa.RecordBatch.from_pydict(
        {"id": [b"1", b"x", b"3"], "x": [b"1e400", b"inf", b"y"], "s": [b"a", None, b"\xff"]}
    )
    assert convert_valid(fields, SCHEMA).to_pylist() == [
        {"id": 1, "x": None, "s": "a"},
        {"id": None, "x": float("inf"), "s": None},
        {"id": 3, "x": None, "s": None},
    ]


@pytest.mark.parametrize(
    "text", ["inf", "-inf", "+INF", "Infinity", "-infinity", "nan", "1e308", ""]
)
def test_what_is_infinite_may_be_so_and_what_is_finite_may_not_become_so(
    file: Callable[..., Path], text: str
) -> None:
    path = file(f"id,x,s\n1,1e400,a\n2,{text},b\n3,-1e400,c\n4,4,d\n")
    batches = read(path)
    assert [r["id"] for r in rows_of(batches)] == [2, 4]
    assert {n: m for n, (_, m) in failed_of(batches).items()} == dict.fromkeys(
        (0, 2), "column 'x': not a valid double"
    )


def test_convert_fields_names_all_bad_rows_of_all_columns() -> None:
    fields = pa.RecordBatch.from_pydict(
        {"id": [b"1", b"x", b"3"], "x": [b"1", b"2", b"y"], "s": [b"a", None, b"c"]}
    )
    with pytest.raises(RejectedRows) as caught:
        convert_fields(fields, SCHEMA)
    assert {p: str(r) for p, r in caught.value.reasons.items()} == {
        1: "column 'id': not a valid int64",
        2: "column 'x': not a valid double",
    }


@pytest.mark.usefixtures("tiny_blocks")
def test_many_blocks_and_batches_number_their_rows(file: Callable[..., Path]) -> None:
    lines = [f"{i},{i}.5,{'t' * (i % 7)}" for i in range(200)]
    for broken in (0, 3, 50, 51, 52, 199):
        lines[broken] += ",extra"
    for malformed in (1, 53, 120, 198):
        lines[malformed] = lines[malformed].replace(".5", ".x")
    path = file("id,x,s\n" + "\n".join(lines) + "\n")
    assert len(list(read_csv_blocks(str(path), ["id"], CsvDialect()))) > 12
    for rows_per_batch in (1, 3, 1_000):
        batches = read(path, rows_per_batch=rows_per_batch)
        assert all(len(b) <= rows_per_batch for b in batches)
        assert set(failed_of(batches)) == {0, 3, 50, 51, 52, 199, 1, 53, 120, 198}
        good = [n for b in batches for n in b.row_numbers.tolist()]
        assert (
            good
            == [r["id"] for r in rows_of(batches)]
            == [i for i in range(200) if i not in failed_of(batches)]
        )


FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_blocks")
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), FIELD), max_size=30
    ),
    broken=st.sets(st.integers(0, 29)),
    rows_per_batch=st.integers(1, 10),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_pythons_writer_writes_is_read_back(
    tmp_path: Path,
    rows: list[tuple[int, float, str]],
    broken: set[int],
    rows_per_batch: int,
    end: str,
) -> None:
    text = io.StringIO(newline="")
    writer = standard_csv.writer(text, lineterminator=end, quoting=standard_csv.QUOTE_NONNUMERIC)
    writer.writerow(["id", "x", "s"])
    for number, row in enumerate(rows):
        writer.writerow(["one field", "too", "many", "!"] if number in broken else row)
    path = tmp_path / "a.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    batches = read(path, rows_per_batch=rows_per_batch)
    expected = [{"id": i, "x": x, "s": s} for n, (i, x, s) in enumerate(rows) if n not in broken]
    assert rows_of(batches) == expected
    assert set(failed_of(batches)) == {n for n in broken if n < len(rows)}
    assert [n for b in batches for n in b.row_numbers.tolist()] == [
        n for n in range(len(rows)) if n not in broken
    ]


def test_blank_lines_do_not_shift_the_numbers_of_rejected_rows(file: Callable[..., Path]) -> None:
    batches = read(file("id,x,s\n1,1,a\n\n\n2,2\n3,3,c\n"))
    assert [r["id"] for r in rows_of(batches)] == [1, 3]
    assert set(failed_of(batches)) == {1}
    assert batches[0].row_numbers.tolist() == [0, 2]


UNCLOSED = {
    'id,x,s\n1,1,a\n2,2,"b\n3,3,c\n': "line 3: row 1",
    'id,x,s\n\n1,1,"a\nb"\n2,2,5"\n\r\n3,3,"c\n4,4,d\n': "line 7: row 2",
    'id,x,s\r1,1,a\r2,2,"b\r3,3,c\r': "line 3: row 1",
    '"id,x,s\n1,1,a\n': "line 1: the header",
    '\n\n"id,x,s\n1,1,a\n': "line 3: the header",
    'id,x,s,"t\nu"\n"1,1,a\n2,2,b\n': "line 3: row 0",
    'id,x,s\n1,1,"': "line 2: row 0",
    # Longer than a small block, some lines of which are gone when the file ends.
    'id,x,s\n1,1,"' + "a\r\n" * 90 + '"\n2,2,"' + "a\r\n" * 100: "line 93: row 1",
}


@pytest.mark.parametrize("text", UNCLOSED)
@pytest.mark.parametrize("block_bytes", [1 << 20, 64])
def test_an_unclosed_quote_is_refused_where_it_opens(
    text: str, block_bytes: int, file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_record_reader, "_BLOCK_BYTES", block_bytes)
    for name in ("a.csv", "a.csv.gz"):
        content = gzip.compress(text.encode()) if name.endswith("gz") else text
        with pytest.raises(InputError, match=rf"a\.csv.*: {UNCLOSED[text]}: a quote opens a field"):
            read(file(content, name))


@pytest.mark.parametrize("block_bytes", [1 << 20, 64])
def test_quotes_that_are_plain_characters_take_no_row_along(
    block_bytes: int, file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_record_reader, "_BLOCK_BYTES", block_bytes)
    path = file('id,x,s\n1,1,5" pipe\n\n2,2,"a\nb ""c"""\n3,3,6"\n4,4,"""\n"\n')
    assert [r["s"] for r in rows_of(read(path))] == ['5" pipe', 'a\nb "c"', '6"', '"\n']


TEXT = st.text(st.sampled_from('ab,"\n\r'), max_size=5)


@settings(
    max_examples=full_or(100, 2_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(fields=st.lists(TEXT, max_size=8), block_bytes=st.sampled_from([64, 1 << 20]), raw=TEXT)
def test_no_row_is_ever_lost_to_a_quote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: list[str], block_bytes: int, raw: str
) -> None:
    """Well-formed rows come back whatever is in them, and whatever row follows them."""
    monkeypatch.setattr(csv_record_reader, "_BLOCK_BYTES", block_bytes)
    text = io.StringIO(newline="")
    standard_csv.writer(text, lineterminator="\n", quoting=standard_csv.QUOTE_ALL).writerows(
        [[i, i, f] for i, f in enumerate(fields)]
    )
    path = tmp_path / "a.csv"
    path.write_text("id,x,s\n" + text.getvalue(), newline="")
    assert [r["s"] for r in rows_of(read(path))] == fields
    path.write_text("id,x,s\n" + text.getvalue() + f"-1,1,{raw}\n-2,-2,\n", newline="")
    try:
        batches = read(path)
    except InputError:
        return
    ids = [r["id"] for r in rows_of(batches)]
    assert ids[: len(fields)] == list(range(len(fields)))


def test_a_parsers_words_are_kept_without_the_row_that_it_quotes() -> None:
    assert (
        csv_blocks._describe_error(
            pa.ArrowInvalid("CSV parse error: Expected 3 columns, got 2: Ann,17")
        )
        == "CSV parse error"
    )
    assert csv_blocks._describe_error(OSError("x" * 300)) == "OSError: " + "x" * 200


def test_strange_file_names(file: Callable[..., Path]) -> None:
    for name in ("a b.csv", "a%20#[1]?.csv", "日本.csv"):
        assert rows_of(read(file("id,x,s\n1,1,a\n", name))) == [{"id": 1, "x": 1.0, "s": "a"}]


def test_a_unit_that_is_a_whole_file_has_no_header_of_its_own() -> None:
    assert _get_piece(make_unit(rows=None, span=())) is None
    piece = make_unit(rows=3, first_row=7, span=(5, 20), bytes=30)
    assert _get_piece(piece) == CsvPiece(
        header_bytes=5, first_byte=20, bytes=30, first_row=7, rows=3
    )


@pytest.mark.parametrize(
    ("header", "wanted", "words"),
    [
        ("a;b", ["a", "b"], "separated by ';' and not by ','"),
        ("a|b|c", ["b", "other"], r"separated by '\\|'"),
        # One column may be called so; and of several names none is split.
        ("a;b", ["a"], "a;b"),
        ("a;b,c", ["a", "b"], "lacks|no column"),
    ],
)
def test_a_header_of_one_name_that_is_several_by_another_delimiter_is_told_so(
    header: str, wanted: list[str], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n1\n")
    file = InputFile(str(path), path.stat().st_size, "v")
    with pytest.raises(InputError, match=words) as caught:
        CsvFormat().inspect(file, [Column(name, pa.string()) for name in wanted])
    assert ("separated" in str(caught.value)) is words.startswith("separated")


@pytest.mark.parametrize(
    ("first_line", "wanted", "words"),
    [
        (
            "Quagmire,1971,4.5",
            ["name", "born"],
            "no column 'name', and none of the others that are",
        ),
        ("NAME , Born,x", ["name", "born"], "no column 'name'; did you mean NAME"),
        ("name,year,x", ["name", "born"], "no column 'born'; there are name, x, year"),
        ("label,year", ["name"], "no column 'name'; there are label, year"),
    ],
)
def test_the_first_row_of_a_file_without_a_header_is_not_told(
    first_line: str, wanted: list[str], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{first_line}\n")
    file = InputFile(str(path), path.stat().st_size, "v")
    with pytest.raises(InputError, match=words) as caught:
        CsvFormat().inspect(file, [Column(name, pa.string()) for name in wanted])
    assert "Quagmire" not in str(caught.value)
