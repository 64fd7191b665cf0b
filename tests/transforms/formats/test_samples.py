"""A CSV file that a run does not cut is cut for a dry run: only where each line is a row for certain."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from storage.input_file import InputFile
from transforms.batches import RowRecord
from transforms.formats import csv_split
from transforms.formats.column import Column
from transforms.formats.csv import CsvFormat
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.format import Shard, make_unit, split_for_sample
from transforms.formats.parquet import ParquetFormat
from transforms.formats.partitions import PartitionedFormat

WANTED = [Column("x", pa.int64()), Column("y", pa.string())]
# Blank lines are no rows, and rows are rejected by their numbers.
LINES = ['"x",y', *(f"{row},text {row}" if row % 7 else "short" for row in range(100)), "", "100,b"]
TEXT = "\n".join([*LINES, ""])


def shard_of(path: Path, format: CsvFormat) -> Shard:
    shard, _ = format.inspect(InputFile(str(path), path.stat().st_size, "v"), WANTED)
    return shard


def test_pieces_hold_the_rows_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(TEXT)
    for reader in (CsvFormat(), PartitionedFormat(CsvFormat(), ())):
        shard = shard_of(path, CsvFormat())
        pieces = split_for_sample(reader, shard)
        assert len(pieces) > 8
        seen = []
        for piece in pieces:
            unit = make_unit(0, shard, piece)
            schema = pa.schema([("x", pa.int64()), ("y", pa.string())])
            for batch in CsvFormat().read(unit, schema, 3, RowRecord()):
                seen += zip(batch.row_numbers.tolist(), batch.rows["x"].to_pylist(), strict=True)
        assert seen == [(row, row) for row in range(101) if row % 7 or row == 100]


@pytest.mark.parametrize(
    ("text", "dialect", "is_cut"),
    [
        (TEXT, {}, True),
        (f'{TEXT}101,"a\nb"\n', {}, False),
        # Where lines are rows, a quote hides nothing; nor where there are none.
        (f'{TEXT}101,"a"\n', {"newlines_in_values": False}, True),
        (f'{TEXT}101,5" pipe\n', {"quote": None}, True),
        (f"{TEXT}101,'a\nb'\n", {"quote": "'"}, False),
        ('"x",y\n', {}, False),
    ],
)
def test_a_quote_hides_where_rows_begin(
    text: str, dialect: dict[str, object], is_cut: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    reader = CsvFormat(CsvDialect(**dialect))  # type: ignore[arg-type]
    file = InputFile(str(path), path.stat().st_size, "v")
    assert bool(reader.split_for_sample(Shard(file, None, ()))) == is_cut


def test_what_is_compressed_large_or_of_one_column_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(TEXT.encode()))
    assert split_for_sample(CsvFormat(), shard_of(path, CsvFormat())) == []
    plain = tmp_path / "a.csv"
    plain.write_text(TEXT)
    monkeypatch.setattr(csv_split, "_MOST_SAMPLED_BYTES", len(TEXT) - 1)
    assert split_for_sample(CsvFormat(), shard_of(plain, CsvFormat())) == []
    plain.write_text("x\n1\n\n2\n")
    assert split_for_sample(CsvFormat(), Shard(InputFile(str(plain), 8, "v"), None, ())) == []


def test_a_format_that_does_not_cut_for_samples_gives_none() -> None:
    assert split_for_sample(ParquetFormat(), Shard(InputFile("a", 8, "v"), None)) == []
