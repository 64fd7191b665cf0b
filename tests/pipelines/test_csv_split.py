"""A CSV file that is cut into pieces gives, row by row, what the whole file gives."""

from collections.abc import Callable, Iterator, Sequence
import gzip
import json
from pathlib import Path
import re
from typing import Any
import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipelines import score, verify
from pipelines.cli.command_line import run_program
from pipelines.planning.shards import cut_into_units
from storage import files
from tests.faults.counts import full_or
from tests.support.builders import FEATURES, tiny_package, unit_of
from tests.support.listing import list_inputs
from transforms.batches import RowRecord, WorkUnit
from transforms.formats import csv_record_reader, held_shards
from transforms.formats import csv_split as csv_pieces
from transforms.formats.csv import CsvFormat
from transforms.formats.csv_blocks import read_header
from transforms.formats.csv_bytes import CsvPiece
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_records import UNCLOSED
from transforms.formats.csv_split import split_csv
from transforms.formats.format import Shard
from transforms.output.plan_file import StoredPlan, encode_plan, read_plan
from transforms.read_unit import read_unit

CUT = CsvDialect(newlines_in_values=False)

Rows = dict[int, Any]


def pieces_of(path: Path | str, csv: CsvDialect = CUT) -> tuple[CsvPiece, ...]:
    (file,), _ = list_inputs(str(path))
    return split_csv(file, read_header(str(path), csv), csv)


def units_of(path: Path, pieces: Sequence[CsvPiece]) -> tuple[WorkUnit, ...]:
    (file,), _ = list_inputs(str(path))
    return cut_into_units([Shard(file, None, tuple(pieces))], CsvFormat(), 1_000)


def rows_of(units: Sequence[WorkUnit], csv: CsvDialect, rows_per_batch: int = 3) -> Rows:
    """By its number in the file, each row of the units, or the reason why it was rejected; in order, and none twice."""
    schema = pa.schema([(name, pa.string()) for name in read_header(units[0].shard, csv)])
    found: Rows = {}
    for unit in units:
        next_row = unit.first_row
        record = RowRecord(schema.names[0], values=True)
        for batch in read_unit(unit, schema, CsvFormat(csv), rows_per_batch, record):
            assert batch.id.first_row == next_row
            next_row += batch.rows_in
            here = dict(zip(batch.row_numbers.tolist(), batch.rows.to_pylist(), strict=True))
            here |= {r["row"]: r for f in batch.rejected for r in f.rows.to_pylist()}
            assert min(here, default=next_row) >= len(found)
            found |= here
        assert batch.last
        assert unit.rows in (None, next_row - unit.first_row)
    assert sorted(found) == list(range(len(found)))
    return found


def check_against_whole(
    path: Path, csv: CsvDialect = CUT, read_in: Sequence[int] = (1 << 20,)
) -> None:
    """Cut into pieces of every size, the file gives what it gives whole, read in blocks of any of these bytes."""
    try:
        header = read_header(str(path), csv)
    except InputError:
        return  # there is no cutting what is refused at once
    # Once, as listing and header are the same for all sizes.
    (file,), _ = list_inputs(str(path))
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    ways = set[tuple[CsvPiece, ...]]()
    for size in range(1, len(text) + 1):
        csv_pieces.PIECE_BYTES = size
        ways.add(split_csv(file, header, csv))
    ways.discard(())
    # One that ends inside quotes cannot be read whole, and stays so where quotes matter.
    if csv.newlines_in_values and not ways:
        return
    for pieces in ways:
        assert pieces[0].first_byte == pieces[0].header_bytes
        assert pieces[-1].first_byte + pieces[-1].bytes == path.stat().st_size
    header_text = "".join(f'"{name}"' for name in header)
    header_lines = len(re.findall(r"[^\r\n]+", header_text))
    lines = len(re.findall(rb"[^\r\n]+", text)) - header_lines
    # Where to cut is looked for once, as that takes longer than all that is read.
    for block_bytes in read_in:
        csv_record_reader._BLOCK_BYTES = block_bytes
        whole = rows_of([unit_of(path, None)], csv)
        # In one column a blank line is a row.
        assert len(header) == 1 or len(whole) == lines
        for pieces in ways:
            assert rows_of(units_of(path, pieces), csv) == whole


@pytest.fixture(autouse=True)
def _pieces_as_they_were(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pieces may be as small as a test says, and small files are looked through for quotes."""
    monkeypatch.setattr(csv_pieces, "_LOOKED_THROUGH_BYTES", 0)
    # Ten thousand cuts start threads of their own, which takes longer than what they do.
    monkeypatch.setattr(csv_pieces, "_THREADS", 2)
    before = csv_pieces.PIECE_BYTES, csv_record_reader._BLOCK_BYTES
    yield
    csv_pieces.PIECE_BYTES, csv_record_reader._BLOCK_BYTES = before


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str | bytes, name: str = "a.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


FILES = {
    "plain": "id,x,s\n1,2,a\n3,4,b\n5,6,c\n",
    "no final line end": "id,x,s\n1,2,a\n3,4,b",
    "return and line feed": "id,x,s\r\n1,2,a\r\n3,4,b\r\n",
    "a lone return among line feeds": "id,x,s\n1,2,a\r3,4,b\n5,6,c\r\r7,8,d\n9,9,e\r",
    "a header that ends with a lone return": "id,x,s\r1,2,a\r3,4,b\n5,6,c\n7,8,d\n",
    "blank lines": "\n\nid,x,s\n\n\n1,2,a\n\n\n\n3\n5,6,c\n\n",
    "blank lines of returns": "\r\nid,x,s\r\n\r\n1,2,a\r\n\r\n3\r\n5,6,c\r\n\r\n",
    "a mark": "\ufeffid,x,s\n1,2,a\n3,4,b\n",
    "a mark and a blank line": "\ufeff\nid,x,s\n1,2,a\n3,4,b\n",
    "a header on several lines": '"i\n\nd",x,"s\r\n"\n1,2,a\n3,4,b\n',
    "a header with a comma and a quote": '"i,""d",x,s\n1,2,a\n3,4,b\n',
    "quotes": 'id,x,s\n"1","a, b","say ""hi"""\n2,"",\n3,5" pipe,c"\n',
    "text behind a quote": 'id,x,s\n1,"2"b,a\n3,4,b\n',
    "wrong widths": "id,x,s\n1\n1,2\n1,2,3,4\n,,,,,,,,,\n1,2,a\n",
    "one column": 's\na\n""\n\n,\nb\n',
    "not UTF-8": b"id,x,s\n1,2,\xe9\n3,4,b\n",
    "no row": "id,x,s\n\n\n\n",
    "a line break in a value": 'id,x,s\n1,2,a\n3,"4\n4",b\n5,6,c\n',
    "line breaks only": 'id,x,s\n1,"\n\n\n\r\n",a\n3,4,b\n',
    "pieces that look whole": 'id,x,s\n1,2,"a\n3,4,b\n5,6,c"\n7,8,d\n',
    "a quote left open": 'id,x,s\n1,2,a\n3,4,"b\n5,6,c\n',
    "a quote left open at the end": 'id,x,s\n1,2,a\n3,4,"\n',
    "a quote left open in the last byte": 'id,x,s\n1,2,a\n3,4,"',
    "quotes that change places": 'id,x,s\n1,2,"a\n","b\n",3,"\n4,"5\n",c\n',
}


# No record may be longer than a block, and most of these files are longer than two.
LONGEST_RECORD = 23


@pytest.mark.parametrize("case", FILES)
@pytest.mark.parametrize("csv", [CUT, CsvDialect()], ids=["declared", "looked for quotes"])
def test_a_file_in_pieces_of_any_size_is_the_whole_file(
    case: str, csv: CsvDialect, file: Callable[..., Path]
) -> None:
    check_against_whole(file(FILES[case]), csv, read_in=(1 << 20, LONGEST_RECORD))


FIELD = st.text(st.sampled_from('ab," \té'), max_size=3) | st.sampled_from(
    ['"', '""', '"a"', '"a,b"', '"a""b"', "", "1"]
)
LYING = st.sampled_from(['"a\nb"', '"\n"', '"\r\n\r\n"', '"a\rb"', '"\n', '"'])
LINE = st.lists(FIELD, min_size=1, max_size=4).map(",".join) | st.tuples(FIELD, FIELD, FIELD).map(
    ",".join
)
LINES = st.lists(
    st.tuples(LINE | st.just(""), st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n"])), max_size=8
)
HEADER = st.sampled_from(
    ["i,x,s\n", "\ufeffi,x,s\r\n", '"i\n1",x,s\n', "\n\ni,x,s\n", '"i","x, 1",s\r']
)


@pytest.mark.slow
@settings(
    max_examples=full_or(60, 1_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    header=HEADER,
    lines=LINES,
    lies=st.lists(st.tuples(st.integers(0, 7), LYING), max_size=2),
    end=st.booleans(),
)
def test_no_cut_changes_a_row(
    tmp_path: Path, header: str, lines: list[tuple[str, str]], lies: list[Any], end: bool
) -> None:
    texts = [line + ending for line, ending in lines]
    for at, lie in lies:
        texts.insert(at, f"1,{lie},2\n")
    text = header + "".join(texts)
    cut_short = text.rstrip("\r\n")
    path = tmp_path / "a.csv"
    path.write_bytes((text if end else cut_short).encode())
    check_against_whole(path)
    check_against_whole(path, CsvDialect())


def test_a_declaration_that_does_not_hold_costs_the_lines_that_a_quote_leaves_open(
    file: Callable[..., Path],
) -> None:
    """What is behind the line break is a line of its own, and never taken for more of the value."""
    path = file('id,x,s\n1,2,a\n3,"4\n4",b\n5,6,"c\n')
    whole = rows_of([unit_of(path, None)], CUT)
    messages = {number: row["message"] for number, row in whole.items() if "message" in row}
    assert messages == {
        1: f"malformed quoting: {UNCLOSED}",
        2: "row has 2 fields, the header has 3",
        3: f"malformed quoting: {UNCLOSED}",
    }


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "iso8859-15", "utf-8-sig", "koi8-r"])
def test_encodings_of_one_byte_are_cut(encoding: str, file: Callable[..., Path]) -> None:
    letter = "ж" if encoding == "koi8-r" else "é"
    path = file(f"id,x,{letter}\n1,2,{letter}\n3,4,b\n5,6,{letter}{letter}\n".encode(encoding))
    csv = CsvDialect(encoding=encoding, newlines_in_values=False)
    check_against_whole(path, csv)
    csv_pieces.PIECE_BYTES = 5
    assert len(pieces_of(path, csv)) == 3


@pytest.mark.parametrize(
    "encoding",
    ["utf-16", "utf-16-le", "utf-32", "cp037", "shift_jis", "gb18030", "iso2022_jp", "utf-7", "hz"],
)
def test_other_encodings_stay_whole(encoding: str, file: Callable[..., Path]) -> None:
    csv_pieces.PIECE_BYTES = 5
    assert (
        pieces_of(
            file("id,x,s\n1,2,a\n3,4,b\n".encode(encoding)),
            CsvDialect(encoding=encoding, newlines_in_values=False),
        )
        == ()
    )


def test_compressed_and_small_files_and_undeclared_ones_with_quotes_stay_whole(
    file: Callable[..., Path],
) -> None:
    text = FILES["plain"]
    assert pieces_of(file(text)) == ()
    csv_pieces.PIECE_BYTES = 5
    assert len(pieces_of(file(text), CsvDialect())) == 3
    assert pieces_of(file(text + '"7",8,d\n'), CsvDialect()) == ()
    assert pieces_of(file(gzip.compress(text.encode()), "a.csv.gz")) == ()
    assert len(pieces_of(file(text))) == 3


def test_rows_are_counted_in_a_file_larger_than_a_block(file: Callable[..., Path]) -> None:
    path = file("id,x,s\n" + "".join(f"{i},{'x' * (i % 97)},\n\n" for i in range(300_000)))
    csv_pieces.PIECE_BYTES = 3 << 20
    pieces = pieces_of(path)
    assert len(pieces) == 6
    assert sum(p.rows for p in pieces) == 300_000
    for piece in pieces:
        assert (
            path.read_bytes()[piece.first_byte :]
            .lstrip()
            .startswith(f"{piece.first_row},".encode())
        )


def test_a_file_that_becomes_shorter_is_refused(file: Callable[..., Path]) -> None:
    path = file(FILES["plain"])
    (listed,), _ = list_inputs(str(path))
    csv_pieces.PIECE_BYTES = 5
    path.write_text("id,x,s\n1,2,a\n")
    with pytest.raises(InputError, match=r"a\.csv: became shorter after the run was planned"):
        split_csv(listed, ["id", "x", "s"], CUT)


def test_a_file_that_is_replaced_while_it_is_read_is_refused_as_such(
    file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As of a large one: a small one is held in memory before its first row is given.
    monkeypatch.setattr(held_shards, "_SMALL_BYTES", 1)
    path = file("id,x,s\n" + "1,2,a\n" * 100)
    csv_pieces.PIECE_BYTES = 300
    unit = units_of(path, pieces_of(path))[1]
    schema = pa.schema([("id", pa.int64())])
    batches = read_unit(unit, schema, CsvFormat(CUT), 10, RowRecord("id"))
    next(batches)
    path.write_text("id,x,s\n")
    with pytest.raises(InputError, match=r"a\.csv: changed after the run was planned"):
        list(batches)


def test_a_stored_plan_keeps_the_pieces(file: Callable[..., Path], tmp_path: Path) -> None:
    path = file(FILES["plain"])
    csv_pieces.PIECE_BYTES = 5
    units = units_of(path, pieces_of(path))
    entry = {"url": str(path), "bytes": path.stat().st_size, "version": units[0].version, "rows": 3}
    files.create(str(tmp_path / "plan.json"), encode_plan(StoredPlan(units, (entry,), ())))
    assert read_plan(str(tmp_path / "plan.json")).units == units


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Score a CSV file with the real program in this process: its manifest, with what was published under `content`."""
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]
    package = tiny_package(tmp_path / "model", columns=columns)

    def run(
        path: str, *arguments: str, output: str | None = None, status: int = 0, **csv: Any
    ) -> dict[str, Any]:
        output = output or str(tmp_path / f"out-{uuid.uuid4().hex}")
        fields = {
            "source": {
                "paths": path,
                "format": "csv",
                "key": "id",
                "types": {"id": "int64", "s": "string"},
                "passthrough": ["s"],
            },
            "errors": {"max_rejected_percent": 50, "store_values": True},
        }
        fields["source"]["csv"] = {"newlines_in_values": False, **csv}
        job = {
            "name": "pieces",
            "model": {"package": package},
            "sink": {"path": "none"},
            "postprocess": {"keep": ["probability"]},
        }
        config = tmp_path / "job.yaml"
        config.write_text(json.dumps({**job, **fields}))
        words = [
            "--config",
            str(config),
            "--output",
            output,
            "--quiet",
            *(arguments or ["--direct_running_mode=in_memory"]),
        ]
        assert run_program(score.main, words) == status
        if status:
            return {"error": capsys.readouterr().err, "output": output}
        folder = f"{output}/runs/{(files.read(f'{output}/CURRENT') or b'').decode().strip()}"
        manifest: dict[str, Any] = json.loads(files.read(f"{folder}/_manifest.json") or b"")
        entries = manifest["files"] + manifest["rejected_files"]
        return {
            **manifest,
            "output": output,
            "content": {e["path"]: files.read(f"{folder}/{e['path']}") for e in entries},
        }

    return run


def table(manifest: dict[str, Any], rejected: bool) -> list[dict[str, Any]]:
    contents = [
        c
        for path, c in sorted(manifest["content"].items())
        if path.startswith("_rejected") == rejected
    ]
    return [
        row for content in contents for row in pq.read_table(pa.BufferReader(content)).to_pylist()
    ]


def csv_text(rows: int = 3_000) -> str:
    """Rows of which some have the wrong width, some a malformed number, some a hole; with blank lines, and quotes."""
    lines = [f'{i},{i % 7}.5,{i % 11},1,"text, {i}"' for i in range(rows)]
    for number in range(0, rows, 61):
        lines[number] = ("short", f"{number},x,1,1,", f"{number},,1,1,hole", "a,b,c,d,e,f,g")[
            number % 4
        ] + "\n" * (number % 3)
    return "id,a,b,c,s\r\n" + "\r\n".join(lines)


@pytest.mark.beam
@pytest.mark.slow
def test_scores_and_rejected_rows_are_those_of_the_whole_file_whatever_the_workers(
    run: Run, file: Callable[..., Path]
) -> None:
    path = str(file(csv_text()))
    whole = run(path)
    csv_pieces.PIECE_BYTES = 10_000
    for one in (run(path, newlines_in_values=True), whole):
        assert (len(one["units"]), len(one["inputs"])) == (1, 1)
    cut = run(path)
    assert len(cut["units"]) > 5
    assert [u["first_row"] for u in cut["units"]] == [
        sum(u["in"] for u in cut["units"][:i]) for i in range(len(cut["units"]))
    ]
    assert cut["inputs"][0]["rows"] == cut["rows"]["in"] == 3_000
    assert cut["rows"] == whole["rows"]
    assert cut["rows"]["rejected"] == 50
    assert table(cut, rejected=False) == table(whole, rejected=False)
    assert table(cut, rejected=True) == table(whole, rejected=True)
    for workers in (1, 2):
        again = run(path, f"--direct_num_workers={workers}")
        assert again["content"] == cut["content"]
        assert run_program(verify.main, [again["output"]]) == 0


def test_the_declaration_belongs_to_the_run(run: Run, file: Callable[..., Path]) -> None:
    path = str(file(csv_text(100)))
    assert run(path)["run_id"] != run(path, newlines_in_values=True)["run_id"]


@pytest.mark.slow
@pytest.mark.beam
def test_a_declaration_that_does_not_hold_is_in_the_books_of_the_run(
    run: Run, file: Callable[..., Path]
) -> None:
    lines = csv_text().split("\r\n")
    lines[1_500] = '1499,1,1,1,"one\nline\n"'
    path = str(file("\r\n".join(lines)))
    csv_pieces.PIECE_BYTES = 10_000
    cut = run(path)
    # Of the value's three lines each one is rejected.
    assert (cut["rows"]["in"], cut["rows"]["rejected"]) == (3_002, 53)
    messages = [row["message"] for row in table(cut, rejected=True) if 1_499 <= row["row"] < 1_502]
    unclosed = f"malformed quoting: {UNCLOSED}"
    assert messages == [unclosed, "row has 1 fields, the header has 5", unclosed]
    assert run(path, newlines_in_values=True)["rows"]["in"] == 3_000


def test_a_run_that_was_refused_on_the_way_resumes_with_the_pieces_that_are_done(
    run: Run, file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(file(csv_text()))
    csv_pieces.PIECE_BYTES = 10_000
    cut = run(path)
    output = f"{cut['output']}-again"
    create, done = files.create, list[str]()

    def full(url: str, content: bytes, *arguments: Any, **options: Any) -> bool:
        if "/done/" in url:
            done.append(url)
            if len(done) == 4:
                raise OSError(28, "No space left on device")
        return create(url, content, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(files, "create", full)
        run(path, output=output, status=5)
    records = {p: p.stat().st_mtime_ns for p in Path(output).glob("_tmp/*/done/*")}
    assert len(records) >= 3
    assert run(path, output=output)["content"] == cut["content"]


@pytest.mark.parametrize(("then", "now"), [(4_000, 4_000), (4_000, 7_000)])
def test_pieces_of_which_nothing_was_rejected_are_reused(
    run: Run, tmp_path: Path, then: int, now: int
) -> None:
    """Those of files that are as they were; where pieces are cut in other places, each of them is scored again."""
    folder = tmp_path / "in"
    folder.mkdir()
    good = csv_text().splitlines()
    (folder / "a.csv").write_text("\n".join([good[0], *(f"{i},1,1,1,s" for i in range(2_000))]))
    (folder / "b.csv").write_text(csv_text(500))
    csv_pieces.PIECE_BYTES = then
    first = run(str(folder))
    csv_pieces.PIECE_BYTES = now
    (folder / "b.csv").write_text("\n".join([good[0], *(f"{i},1,1,1,s" for i in range(500))]))
    second = run(str(folder), "--reuse_from", "current", output=first["output"])
    assert second["rows"] == {"in": 2_500, "scored": 2_500, "filtered": 0, "rejected": 0}
    assert second["content"] == run(str(folder))["content"]


def test_a_file_in_a_store_is_cut(run: Run, file: Callable[..., Path]) -> None:
    url = f"memory://{uuid.uuid4().hex}/a.csv"
    files.put(url, csv_text().encode())
    csv_pieces.PIECE_BYTES = 10_000
    cut, local = run(url), run(str(file(csv_text())))
    assert len(cut["units"]) > 5
    for rejected in (False, True):
        assert [{**r, "source": ""} for r in table(cut, rejected)] == [
            {**r, "source": ""} for r in table(local, rejected)
        ]
