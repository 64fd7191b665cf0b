"""A stored file: how it is encoded, how it is counted, and what is left of one that nobody wants."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage import files
from storage.run_folder import RunFolder
from tests.support.builders import make_unit, planned_run, scored_batch
from transforms.formats.output import FileFormat
from transforms.output import progress_note
from transforms.output.part_file import PartFile, count_rows
from transforms.output.part_writer import PartWriter

SCHEMA = pa.schema([("n", pa.int64()), ("s", pa.string())])


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = planned_run(str(tmp_path), [])
    files.make_folder(run.attempts)
    return run


def stored(run: RunFolder, table: pa.Table, how: FileFormat) -> Path:
    file = PartFile(run, "a", how)
    file.write(table)
    written = file.close()
    assert (written.path, written.rows) == ("a", table.num_rows)
    return Path(run.attempts, "a")


def test_named_columns_are_encoded_by_dictionary_and_all_are_compressed(run: RunFolder) -> None:
    path = stored(
        run,
        pa.table({"n": [7] * 1_000, "s": ["x"] * 1_000}),
        FileFormat("parquet", SCHEMA, ("s",), (), 10),
    )
    columns = [pq.read_metadata(path).row_group(0).column(number) for number in (0, 1)]
    assert [column.has_dictionary_page for column in columns] == [False, True]
    assert {column.compression for column in columns} == {"ZSTD"}


def test_a_bit_that_flips_later_is_found(run: RunFolder) -> None:
    """Random numbers, which no compression holds together."""
    numbers = np.random.default_rng(0).integers(0, 2**62, 20_000)
    path = stored(
        run,
        pa.table({"n": numbers}),
        FileFormat("parquet", pa.schema([("n", pa.int64())]), (), (), 10),
    )
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(path, page_checksum_verification=True)


@pytest.mark.parametrize("format", ["parquet", "csv"])
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_rows_are_counted_in_the_file_itself(format: str, rows: int, run: RunFolder) -> None:
    table = pa.table(
        {"n": pa.array(range(rows), pa.int64()), "s": pa.array(["a\nb"] * rows, pa.string())}
    )
    assert (
        count_rows(str(stored(run, table, FileFormat(format, SCHEMA, (), (), 10))), format) == rows
    )


@pytest.mark.parametrize(("escape", "text"), [(False, "=1"), (True, "'=1")])
def test_formulas_are_escaped_where_the_format_says_so(
    escape: bool, text: str, run: RunFolder
) -> None:
    how = FileFormat("csv", SCHEMA, (), (), 10, escape_formulas=escape)
    assert (
        stored(run, pa.table({"n": [1], "s": ["=1"]}), how).read_text() == f'"n","s"\n1,"{text}"\n'
    )
    assert not FileFormat("csv", SCHEMA, (), (), 10).escape_formulas


@pytest.mark.parametrize("format", ["parquet", "csv"])
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # pyarrow's writer of Parquet ends its file when it is freed
def test_of_an_abandoned_file_nothing_is_left(format: str, run: RunFolder) -> None:
    file = PartFile(run, "a", FileFormat(format, SCHEMA, (), (), 10))
    file.write(pa.table({"n": [1], "s": ["x"]}))
    file.abandon()
    assert files.list_names(run.attempts) == []


def test_progress_is_noted_once_a_second(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=100.0)
    patched = SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now)
    monkeypatch.setattr(progress_note, "time", patched)
    unit = make_unit(3, 90, first_row=500)
    schema = pa.schema([("id", pa.int64()), ("p", pa.float32())])
    writer = PartWriter(run, unit, 500, FileFormat("parquet", schema, (), (), 10))

    def noted() -> list[str]:
        return [
            (files.read(f"{run.progress}/{name}") or b"").decode().split()[0]
            for name in files.list_names(run.progress)
        ]

    for now, expected in (
        (100.9, []),
        (101.0, ["4"]),
        (101.9, ["4"]),
        (102.0, ["8"]),
        (109.0, ["10"]),
    ):
        clock.now = now
        writer.write(scored_batch(unit, writer.next_row, [1, 2]))
        assert noted() == expected
    (name,) = files.list_names(run.progress)
    assert name.startswith("0000003-")
    files.remove(run.temporary)
    clock.now = 200.0
    with pytest.raises(FileNotFoundError):
        writer.write(scored_batch(unit, writer.next_row, [1, 2]))
    assert not files.exists(run.temporary), "an attempt that wakes up late makes no folder again"
    made = files.make_folder

    def make_and_lose(url: str, above: bool = True) -> None:
        made(url, above=above)
        files.remove(run.temporary)

    files.make_folder(run.temporary)
    monkeypatch.setattr(files, "make_folder", make_and_lose)
    clock.now = 300.0
    with pytest.raises(FileNotFoundError):
        writer.write(scored_batch(unit, writer.next_row, [1, 2]))
    assert not files.exists(run.temporary), "nor does one that is late by a moment"
