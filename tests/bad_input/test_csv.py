"""CSV as it comes: other encodings, broken quotes and rows, texts that look like numbers or nulls, broken archives."""

from collections.abc import Callable
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, write_job
from transforms.formats import csv_text
from transforms.formats.csv_records import GLUED, UNCLOSED

Score = Callable[..., Outcome]

HEADER = "id,a,b,c,s\n"
GOOD = HEADER + "1,1,1,1,x\n2,2,2,2,y\n"


def texts(
    score_csv: Score, content: str | bytes, name: str = "in.csv", **settings: object
) -> dict[int, str | None]:
    """Key to carried text of the published rows."""
    rows = score_csv(content, name, **settings).rows()
    return dict(zip(rows["id"].to_pylist(), rows["s"].to_pylist(), strict=True))


FINE: dict[str, tuple[str | bytes, dict[int, str | None]]] = {
    "byte-order mark": (b"\xef\xbb\xbf" + GOOD.encode(), {1: "x", 2: "y"}),
    "byte-order mark before a quote": (b'\xef\xbb\xbf"id","a","b","c","s"\n1,1,1,1,x\n', {1: "x"}),
    "quoted newline": (HEADER + '1,1,1,1,"x\ny"\n2,2,2,2,"\r\n"\n', {1: "x\ny", 2: "\r\n"}),
    "leading zeros": (HEADER + "1,1,1,1,00501\n2,2,2,2,1e5\n", {1: "00501", 2: "1e5"}),
    "texts for null": (
        HEADER
        + "1,1,1,1,NA\n2,2,2,2,null\n3,3,3,3,nan\n4,4,4,4,NULL\n5,5,5,5,None\n6,6,6,6,\\N\n7,7,7,7,#N/A\n",
        {1: "NA", 2: "null", 3: "nan", 4: "NULL", 5: "None", 6: "\\N", 7: "#N/A"},
    ),
    "empty text beside null": (HEADER + '1,1,1,1,""\n2,2,2,2,\n', {1: "", 2: None}),
    "blanks": (HEADER + '1,1,1,1, x \n2,2,2,2," "\n', {1: " x ", 2: " "}),
    "no final newline": (GOOD.rstrip("\n"), {1: "x", 2: "y"}),
    "no final newline and a quote": (HEADER + '1,1,1,1,"x"', {1: "x"}),
    "CRLF": (GOOD.replace("\n", "\r\n"), {1: "x", 2: "y"}),
    "CR": (GOOD.replace("\n", "\r"), {1: "x", 2: "y"}),
    "header only": (HEADER, {}),
    "header only without newline": (HEADER.rstrip("\n"), {}),
    "NUL in a text": (HEADER + "1,1,1,1,x\0y\n", {1: "x\0y"}),
    "inch marks": (HEADER + '1,1,1,1,5" pipe\n2,2,2,2,"6"" pipe"\n', {1: '5" pipe', 2: '6" pipe'}),
    "no final newline and an empty field behind a quote": (
        HEADER + '1,1,1,1,"x"\n2,2,2,"2",',
        {1: "x", 2: None},
    ),
    "header on two lines without newline": ('id,a,b,c,s,"t\nu"', {}),
    "a column more": ("more," + HEADER + "0,1,1,1,1,x\n", {1: "x"}),
}


@pytest.mark.parametrize("case", FINE)
def test_what_is_fine_gives_exact_texts(case: str, score_csv: Score) -> None:
    content, expected = FINE[case]
    assert texts(score_csv, content) == expected


ODD_TEXTS = "äöß€ 日本 🙂"


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8", "utf-8-sig", "gb18030"]
)
def test_a_declared_encoding_gives_exact_texts(encoding: str, score_csv: Score) -> None:
    content = (HEADER + f'1,1,1,1,{ODD_TEXTS}\n2,2,2,2,"a\n{ODD_TEXTS}"\n').encode(encoding)
    assert texts(score_csv, content, **{"source.csv.encoding": encoding}) == {
        1: ODD_TEXTS,
        2: f"a\n{ODD_TEXTS}",
    }
    assert (
        texts(score_csv, gzip.compress(content), "in.csv.gz", **{"source.csv.encoding": encoding})[
            1
        ]
        == ODD_TEXTS
    )


def test_latin_1_gives_exact_texts_where_it_is_declared(score_csv: Score) -> None:
    every = "".join(map(chr, range(0xA0, 0x100)))
    content = (HEADER + f"1,1,1,1,{every}\n").encode("latin-1")
    assert texts(score_csv, content, **{"source.csv.encoding": "latin-1"}) == {1: every}
    named = f"id,a,b,c,größe\n1,1,1,1,{every}\n".encode("latin-1")
    carried = {
        "source.types": {"id": "int64", "größe": "string"},
        "source.passthrough": ["größe"],
        "source.csv.encoding": "latin-1",
    }
    assert score_csv(named, **carried).rows()["größe"].to_pylist() == [every]


def test_latin_1_that_is_read_as_utf_8_costs_its_rows(score_csv: Score) -> None:
    outcome = score_csv(HEADER.encode() + b"1,1,1,1,x\n2,2,2,2,\xe4\n3,3,3,3,y\n")
    assert outcome.rows()["id"].to_pylist() == [1, 3]
    assert told(outcome) == {"in.csv": {1: (2, "column 's': not a valid string")}}


@pytest.mark.slow
def test_a_many_block_file_keeps_every_byte_of_its_quoted_line_ends(score_csv: Score) -> None:
    """Blocks of 8 MiB end where they do; pyarrow left out the \\n of a \\r\\n that one of them cut."""
    line = '{},1,1,1,"' + "\r\n" * 500 + '"\n'
    content = HEADER + "".join(line.format(i) for i in range(10_000))
    rows = score_csv(content).rows()
    assert rows.num_rows == 10_000
    assert set(rows["s"].to_pylist()) == {"\r\n" * 500}


REFUSED: dict[str, tuple[str | bytes, str, list[str]]] = {
    "UTF-16 untold": (GOOD.encode("utf-16"), "in.csv", ["source.csv.encoding=utf-16"]),
    "UTF-16 untold without a mark": (
        GOOD.encode("utf-16-le"),
        "in.csv",
        ["source.csv.encoding=utf-16"],
    ),
    "latin-1 header": (
        "id,a,b,c,s,größe\n1,1,1,1,x,1\n".encode("latin-1"),
        "in.csv",
        ["source.csv.encoding=latin-1"],
    ),
    "unclosed quote": (
        HEADER + '1,1,1,1,x\n2,2,2,2,"y\n3,3,3,3,z\n',
        "in.csv",
        ["row 1", "a quote opens a field"],
    ),
    "unclosed quote in a column that is not read": (
        'id,a,b,c,s,t\n1,1,1,1,x,u\n2,2,2,2,y,"v\n3,3,3,3,z,w\n',
        "in.csv",
        ["row 1", "a quote opens a field"],
    ),
    "cut in a quoted text": (
        HEADER + '1,1,1,1,x\n2,2,2,2,"some te',
        "in.csv",
        ["row 1", "a quote opens a field"],
    ),
    "cut in a quoted text behind its line break": (
        HEADER + '1,1,1,1,x\n2,2,2,2,"first line\n',
        "in.csv",
        ["line 3: row 1", "a quote opens a field and does not close it"],
    ),
    "all in latin-1": (
        HEADER.encode() + b"".join(b"%d,1,1,1,\xe4\n" % i for i in range(9)),
        "in.csv",
        ["column 's'", "no UTF-8 but fit cp1252, latin-1", "source.csv.encoding=cp1252"],
    ),
    "semicolons": (GOOD.replace(",", ";"), "in.csv", ["source.csv.delimiter=';'"]),
    "tabs": (GOOD.replace(",", "\t"), "in.csv", ["source.csv.delimiter='\\t'"]),
    "empty": ("", "in.csv", ["0 bytes"]),
    "newlines only": ("\n\n", "in.csv", ["cannot be read as CSV"]),
    "header with spaces": (
        "id, a,b,c,s\n1,1,1,1,x\n",
        "in.csv",
        ["no column 'a'", "' a', with spaces around it"],
    ),
    "header in another case": (
        "ID,a,b,c,s\n1,1,1,1,x\n",
        "in.csv",
        ["no column 'id'", "did you mean ID?"],
    ),
    "a column twice": ("id,a,b,c,s,a\n1,1,1,1,x,1\n", "in.csv", ["2 columns called 'a'"]),
    "a column missing": ("id,a,c,s\n1,1,1,x\n", "in.csv", ["no column 'b'"]),
    "truncated gzip": (gzip.compress(GOOD.encode())[:-9], "in.csv.gz", ["in.csv.gz"]),
    "gzip without its last bytes": (gzip.compress(GOOD.encode())[:-1], "in.csv.gz", ["in.csv.gz"]),
    "plain text named .gz": (GOOD, "in.csv.gz", ["in.csv.gz"]),
    "gzip named .csv": (gzip.compress(GOOD.encode()), "in.csv", ["in.csv"]),
    "gzip in gzip": (gzip.compress(gzip.compress(GOOD.encode())), "in.csv.gz", ["holds gzip"]),
    "a zero-width space": (
        "\u200bid,a,b,c,s\n1,1,1,1,x\n",
        "in.csv",
        ["no column 'id'", "which looks the same", "U+200B ZERO WIDTH SPACE"],
    ),
    "an archive of nothing": (gzip.compress(b""), "in.csv.gz", ["in.csv.gz"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_whole_is_refused_with_a_hint(case: str, score_csv: Score) -> None:
    content, name, words = REFUSED[case]
    score_csv(content, name).refused(name, *words)


@pytest.mark.beam
def test_a_flipped_bit_of_an_archive_is_refused(score_csv: Score) -> None:
    numbers = np.random.default_rng(1).random(2_000)
    content = bytearray(
        gzip.compress(
            (HEADER + "".join(f"{i},1,1,1,{x}\n" for i, x in enumerate(numbers))).encode()
        )
    )
    content[len(content) // 2] ^= 1
    score_csv(bytes(content), "in.csv.gz").refused("in.csv.gz")


def test_several_gzip_members_are_one_file(score_csv: Score) -> None:
    members = [gzip.compress(part.encode()) for part in (GOOD, "3,3,3,3,z", "\n4,4,4,4,w\n")]
    assert texts(score_csv, b"".join(members), "in.csv.gz") == {1: "x", 2: "y", 3: "z", 4: "w"}


REJECTED: dict[str, tuple[str, dict[int, tuple[int | None, str]]]] = {
    "extra field": ("1,1,1,1,x\n2,2,2,2,y,z\n", {1: (None, "row has 6 fields, the header has 5")}),
    "missing field": ("1,1,1,1\n2,2,2,2,y\n", {0: (None, "row has 4 fields, the header has 5")}),
    "2^63": (
        "1,1,1,1,x\n9223372036854775808,2,2,2,y\n",
        {1: (None, "column 'id': not a valid int64")},
    ),
    "1e400": (
        "1,1,1,1,x\n2,1e400,2,2,y\n3,-1e400,1,1,z\n",
        {1: (2, "column 'a': not a valid float"), 2: (3, "column 'a': not a valid float")},
    ),
    "1e39 for a float": ("1,1,1,1,x\n2,1e39,2,2,y\n", {1: (2, "column 'a': not a valid float")}),
    "thousands": ('1,1,1,1,x\n"1,234",2,2,2,y\n', {1: (None, "column 'id': not a valid int64")}),
    "thousands in a float": (
        '1,1,1,1,x\n2,"1,234",2,2,y\n',
        {1: (2, "column 'a': not a valid float")},
    ),
    "empty text for a number": (
        '1,1,1,1,x\n2,"",2,2,y\n',
        {1: (2, "column 'a': not a valid float")},
    ),
    "NUL in a number": ("1,1,1,1,x\n2,2\0,2,2,y\n", {1: (2, "column 'a': not a valid float")}),
    "text behind a closing quote": (
        '1,1,1,1,x\n2,"2"2,2,2,y\n"3"3,3,3,3,z\n4,4,4,4,"said "hi", twice"\n',
        dict.fromkeys((1, 2, 3), (None, f"malformed quoting: {GLUED}")),
    ),
    "hexadecimal": (
        "1,1,1,1,x\n0x2,2,2,2,y\n",
        {1: (None, "column 'id': not a valid int64")},
    ),
    "text for a number": ("1,1,1,1,x\n2,two,2,2,y\n", {1: (2, "column 'a': not a valid float")}),
}


def told(outcome: Outcome) -> dict[str, dict[int, tuple[int | None, str]]]:
    """Return what is told of the rejected rows: by file and row number, key and message."""
    found: dict[str, dict[int, tuple[int | None, str]]] = {}
    for record in outcome.rejected():
        assert record["stage"] == "read"
        found.setdefault(Path(record["source"]).name, {})[record["row"]] = (
            record["key"],
            record["message"],
        )
    return found


@pytest.mark.beam
def test_a_row_that_is_no_row_of_the_contract_is_rejected_alone(score_csv: Score) -> None:
    outcome = score_csv({f"{case}.csv": HEADER + rows for case, (rows, _) in REJECTED.items()})
    assert told(outcome) == {f"{case}.csv": expected for case, (_, expected) in REJECTED.items()}
    good = [
        int(key)
        for rows, expected in REJECTED.values()
        for key in _keys_of_others(rows, set(expected))
    ]
    assert outcome.rows()["id"].to_pylist() == sorted(good)


def _keys_of_others(rows: str, left_out: set[int]) -> list[str]:
    return [
        row.partition(",")[0]
        for number, row in enumerate(rows.splitlines())
        if number not in left_out
    ]


def test_a_malformed_row_of_several_lines_is_rejected_alone(score_csv: Score) -> None:
    # A quote that is not closed takes the next line with it, as far as the next quote.
    rows = '1,1,1,1,"x\n2,2,2,2,"y\n3,3,3,3,z\n4,4,4,4,"a\r\nb\n",y\n5,5,5,5,w\n'
    outcome = score_csv(HEADER + rows)
    glued = f"malformed quoting: {GLUED}, in a row of 2 lines: is a quote left open?"
    wide = "row has 6 fields, the header has 5, in a row of 3 lines: is a quote left open?"
    assert told(outcome) == {"in.csv": {0: (None, glued), 2: (None, wide)}}
    assert outcome.rows()["id"].to_pylist() == [3, 5]


def test_a_quote_left_open_costs_its_line_where_each_line_is_a_row(score_csv: Score) -> None:
    rows = '1,1,1,1,"x\n2,2,2,2,"y"\n3,3,3,3,"z'
    lines = {"source.csv.newlines_in_values": False}
    outcome = score_csv(HEADER + rows, **lines)
    unclosed = (None, f"malformed quoting: {UNCLOSED}")
    assert told(outcome) == {"in.csv": {0: unclosed, 2: unclosed}}
    assert outcome.rows()["s"].to_pylist() == ["y"]


def test_infinity_that_is_written_as_such_is_a_number(score_csv: Score) -> None:
    types = {"id": "int64", "s": "double"}
    rows = score_csv(
        HEADER + "1,1,1,1,inf\n2,2,2,2,-Infinity\n3,3,3,3,1e308\n4,4,4,4,1e-400\n",
        **{"source.types": types},
    ).rows()
    assert rows["s"].to_pylist() == [float("inf"), -float("inf"), 1e308, 0.0]
    exact = {"id": "int64", "s": "int64"}
    assert texts(
        score_csv, HEADER + f"1,1,1,1,{2**63 - 1}\n2,2,2,2,{-(2**63)}\n", **{"source.types": exact}
    ) == {
        1: 2**63 - 1,
        2: -(2**63),
    }


def test_a_decimal_comma_is_read_where_it_is_declared_and_else_refused(score_csv: Score) -> None:
    """As R's write.csv2 writes them, names of rows and all."""
    lines = ['"";"id";"a";"b";"c";"s"']
    lines += [f'"{row}";{row};{row},5;0;-1,25;"x,{row}"' for row in range(1, 21)]
    lines += ['"21";21;1.234,5;0;0;"y"', '"22";22;1.5;0;0;NA']
    content = "\n".join(lines) + "\n"
    plain = HEADER + "".join(f'{row},{row}.5,0,-1.25,"x,{row}"\n' for row in range(1, 21))
    declared = {"source.csv.delimiter": ";", "source.csv.null_values": ["", "NA"]}
    outcome = score_csv(content, **declared, **{"source.csv.decimal": ","})
    assert outcome.scored().equals(score_csv(plain).scored())
    assert sorted(record["row"] for record in outcome.rejected()) == [20, 21]
    # Without the last two, whose numbers are of neither kind.
    undeclared = score_csv("\n".join(lines[:-2]), **declared)
    undeclared.refused("in.csv", 'source.csv.decimal=","')
    score_csv(plain, **{"source.csv.decimal": ","}).refused("in.csv", 'source.csv.decimal="."')


SPARK = {"source.csv.escape": "\\", "source.csv.double_quote": False}


def test_quotes_that_spark_writes_are_read_where_they_are_declared(score_csv: Score) -> None:
    rows = r"""1,1,1,1,"said \"hi\" twice"
2,1,1,1,"C:\\data\\"
3,1,1,1,"5\" pipe"
4,1,1,1,C:\data\
5,1,1,1,""
"""
    assert texts(score_csv, HEADER + rows, **SPARK) == {
        1: 'said "hi" twice',
        2: "C:\\data\\",
        3: '5" pipe',
        4: "C:\\data\\",
        5: "",
    }
    undeclared = score_csv(HEADER + rows)
    assert told(undeclared) == {
        "in.csv": dict.fromkeys((0, 2), (None, f"malformed quoting: {GLUED}"))
    }


def test_what_the_declared_dialect_does_not_have_costs_its_row(score_csv: Score) -> None:
    """Whatever the number of fields."""
    rows = '1,1,1,1,"a""b"\n2,1,1,1,"a\\nb"\n3,1,1,1,"a"\n'
    assert texts(score_csv, HEADER + rows, **SPARK) == {3: "a"}
    assert texts(score_csv, HEADER + rows, **{"source.csv.quote": None}) == {
        1: '"a""b"',
        2: '"a\\nb"',
        3: '"a"',
    }
    assert texts(score_csv, HEADER + "1,1,1,1,'a,\"''b'\n", **{"source.csv.quote": "'"}) == {
        1: "a,\"'b"
    }


@pytest.mark.parametrize(
    ("csv", "words"),
    [
        ({"escape": '"'}, "must be three characters"),
        ({"delimiter": '"'}, "must be three characters"),
        ({"quote": "\n"}, "source.csv.quote must be an ASCII character"),
        ({"escape": "é"}, "source.csv.escape must be an ASCII character"),
        ({"quote": None, "escape": "\\"}, "source.csv.escape means nothing without"),
        ({"null_values": ["\0"]}, "source.csv.null_values must hold no NUL"),
    ],
)
def test_a_dialect_that_no_file_has_is_refused_at_once(
    csv: dict[str, Any], words: str, score_csv: Score
) -> None:
    outcome = score_csv(GOOD, **{f"source.csv.{name}": value for name, value in csv.items()})
    assert (outcome.status, words in outcome.error) == (2, True)


def test_a_type_that_no_text_has_is_refused_at_once(score_csv: Score) -> None:
    outcome = score_csv(GOOD, **{"source.types": {"id": "int64", "s": "duration[us]"}})
    assert (outcome.status, "CSV cannot be read as duration[us]" in outcome.error) == (2, True)


@pytest.mark.parametrize("good", [0, 100, 65_536])
def test_bad_rows_are_rejected_wherever_batches_end(good: int, score_csv: Score) -> None:
    """12 that end the file, behind a whole batch or within the first one, behind the first rows or among them."""
    rows = [f"{i},1,1,1,x\n" for i in range(good)]
    rows += [f"{i},oops,1,1,x\n" for i in range(good, good + 12)]
    outcome = score_csv(HEADER + "".join(rows))
    if not good:
        outcome.refused("in.csv", "column 'a' does not hold values of type float")
        return
    assert sorted(told(outcome)["in.csv"]) == list(range(good, good + 12))
    assert outcome.rows().num_rows == good


def test_a_row_too_wide_that_is_not_utf_8_costs_itself(
    score_csv: Score, capfd: pytest.CaptureFixture[str]
) -> None:
    outcome = score_csv(HEADER.encode() + b"1,1,1,1,x\n2,1,1,1,y,z\xff\n3,1,1,1,w\n")
    assert outcome.rows()["id"].to_pylist() == [1, 3]
    assert told(outcome) == {"in.csv": {1: (None, "row has 6 fields, the header has 5")}}
    assert "Traceback" not in capfd.readouterr().err


def test_a_blank_line_of_one_column_is_a_row(
    score_it: Callable[..., Outcome], tmp_path: Path
) -> None:
    columns = [{"name": "a", "type": "float", "missing": "reject"}]
    package = tiny_package(tmp_path / "model", features=("a",), columns=columns)
    source = {"format": "csv", "key": None}
    job = write_job(tmp_path, package, source=source, postprocess={"keep": ["probability"]})
    (tmp_path / "in.csv").write_text("a\n1\n2\n\n4\n5\n")
    outcome = score_it(tmp_path / "in.csv", config=job)
    assert outcome.scored().num_rows == 4
    assert [(record["row"], record["stage"]) for record in outcome.rejected()] == [
        (2, "preprocess")
    ]


def test_an_encoding_or_delimiter_that_does_not_exist_is_refused_at_once(score_csv: Score) -> None:
    for key, value in {"encoding": "utf-17", "delimiter": "é"}.items():
        outcome = score_csv(GOOD, **{f"source.csv.{key}": value})
        assert outcome.status == 2
        assert f"source.csv.{key}" in outcome.error
    outcome = score_csv(GOOD, **{"source.csv.encoding": "base64"})
    assert (outcome.status, "no encoding of text" in outcome.error) == (2, True)


def test_text_that_is_not_in_the_declared_encoding_is_refused(score_csv: Score) -> None:
    for content, encoding in (
        (HEADER.encode() + b"1,1,1,1,\xe4\n", "ascii"),
        (GOOD.encode("utf-16")[:-1], "utf-16"),
    ):
        score_csv(content, **{"source.csv.encoding": encoding}).refused(
            "in.csv", encoding, "source.csv.encoding"
        )


@pytest.mark.slow
def test_a_gzip_bomb_is_refused_and_one_that_is_expected_is_read(
    score_csv: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = b"1,1,1,1," + b"x" * 50_000 + b"\n"
    piece = gzip.compress(line * 200)
    bomb = gzip.compress(HEADER.encode()) + piece * 40  # 400 MB from half a megabyte
    score_csv(bomb, "in.csv.gz").refused("in.csv.gz", "bomb", "200 times", "source.max_expansion")
    monkeypatch.setattr(csv_text, "_BOMB_BYTES", 1 << 20)
    small = gzip.compress(HEADER.encode()) + piece
    score_csv(small, "in.csv.gz").refused("bomb")
    assert (
        score_csv(small, "in.csv.gz", **{"source.max_expansion": 2_000}).manifest["rows"]["scored"]
        == 200
    )
