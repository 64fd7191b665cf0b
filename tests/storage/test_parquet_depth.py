"""No Parquet file reaches Arrow before somebody has looked how deep its columns stand inside each other."""

from collections.abc import Callable
import io
from pathlib import Path
import re
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError, ModelError, VerifyError
from model_zoo.package.smoke_batch import parse_smoke_batch
from pipelines.evaluating.tables import read_table
from pipelines.packing.sample.tables import _read_parquet
from pipelines.reporting.reading import _count_in_file, _read_records
from storage.parquet_depth import _LIKELY_FOOTER_BYTES, open_parquet, refuse_deep
from tests.support.repository import REPOSITORY
from tests.transforms.formats.chunks import (
    WRONG_CHUNKS,
    Fields,
    change_chunk,
    write_deep,
    write_numbers,
)
from transforms.checks.unique_values import _count_rows, _read_part
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.file_list import FileList, count_files
from transforms.formats.parquet_output import ParquetOutput
from transforms.lakes.deleted_rows import _iterate_positions
from transforms.lakes.delta_checkpoint import read_checkpoint
from transforms.summaries.summary import decode_table

# Deeper than is read, and not so deep that it ends the process where nobody looks.
LEVELS = 300
# What hands a file to Arrow, and where that is not by `open_parquet`: why it needs not be.
OPENS = re.compile(r"Parquet(File|Reader|Dataset)\(|pq\.read_(metadata|schema|table)\(")
LOOKED_AT = {
    "storage/parquet_depth.py": "is where it is looked at",
    "storage/parquet_chunks.py": "has read the footer",
    "pipelines/reporting/reading.py": "looks before",
    "transforms/formats/parquet_footer.py": "`inspect_file` has looked",
    "transforms/formats/parquet_pages.py": "a footer that is made here",
    "transforms/formats/parquet_refused_column.py": "of what Arrow has refused without an end",
    "transforms/formats/parquet_sizes.py": "has the footer of a shard that was inspected",
    "transforms/formats/parquet_ways.py": "shards that were inspected, and have not changed",
    "transforms/lakes/deleted_rows.py": "looks before",
}
READERS: dict[str, Callable[[Path], Any]] = {
    "smoke batch": lambda path: parse_smoke_batch(path.read_bytes(), str(path)),
    "checkpoint": lambda path: list(read_checkpoint(str(path), ["add"])),
    "deleted rows": lambda path: list(_iterate_positions(str(path))),
    "summary": lambda path: decode_table(path.read_bytes()),
    "list of files": lambda path: count_files(path.read_bytes()),
    "planned list of files": lambda path: list(FileList(url=str(path)).iterate_files()),
    "output, its rows": lambda path: ParquetOutput().count_rows(
        str(path), io.BytesIO(path.read_bytes())
    ),
    "output, its schema": lambda path: ParquetOutput().read_schema(io.BytesIO(path.read_bytes())),
    "output, its first rows": lambda path: ParquetOutput().read_first_rows(str(path)),
    "report": lambda path: _read_records(str(path), ["x"]),
    "report of reasons": lambda path: _count_in_file(str(path)),
    "labels": lambda path: read_table(str(path), {"x": None}, CsvDialect()),
    "sample": lambda path: _read_parquet(str(path), 10),
    "digests": lambda path: _count_rows(str(path)),
    "part of digests": lambda path: _read_part(str(path), 0, 1),
}


@pytest.mark.parametrize("reader", READERS)
def test_columns_deep_inside_others_are_refused_by_whoever_reads(
    reader: str, tmp_path: Path
) -> None:
    path = write_deep(tmp_path / "a.parquet", LEVELS)
    refusals = (InputError, ModelError, VerifyError, pa.ArrowInvalid)
    with pytest.raises(refusals) as refused:
        READERS[reader](path)
    causes = [refused.value, refused.value.__cause__]
    assert any("too deep inside each other" in str(cause) for cause in causes)


# Who asks about chunks, and which column's.
ASKERS: dict[str, tuple[Callable[[Path], Any], int]] = {
    "list of files": (lambda path: list(FileList(url=str(path)).iterate(0, "x")), 1),
    "digests": (lambda path: _read_part(str(path), 0, 1), 0),
    "smoke batch": (lambda path: parse_smoke_batch(path.read_bytes(), str(path)), 1),
    "checkpoint": (lambda path: list(read_checkpoint(str(path), ["x"])), 1),
}


@pytest.mark.parametrize("change", WRONG_CHUNKS)
@pytest.mark.parametrize("asker", ASKERS)
def test_a_chunk_told_wrongly_ends_nothing(
    asker: str, change: Callable[[Fields], None], tmp_path: Path
) -> None:
    """Where nobody has looked before, pyarrow ends the process that asks."""
    ask, column = ASKERS[asker]
    path = change_chunk(write_numbers(tmp_path / "a.parquet"), change, column=column)
    with pytest.raises((OSError, pa.ArrowException, InputError, ModelError)):
        ask(path)


def test_who_opens_parquet_looks_first() -> None:
    found = set()
    for room in ("model_zoo", "pipelines", "storage", "transforms"):
        for path in (REPOSITORY / room).rglob("*.py"):
            if OPENS.search(path.read_text()):
                found.add(str(path.relative_to(REPOSITORY)))
    assert found == set(LOOKED_AT), "call storage.parquet_depth.open_parquet"


@pytest.mark.parametrize("columns", [1, 3_000])
def test_a_file_is_opened_as_arrow_opens_it(columns: int) -> None:
    table = pa.table({f"column {number}": [number] for number in range(columns)})
    file = io.BytesIO()
    pq.write_table(table, file)
    assert (len(file.getvalue()) > _LIKELY_FOOTER_BYTES) == (columns > 1)
    with open_parquet(file) as opened:
        assert opened.read().equals(table)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\xff" * 11, b"PAR1" + b"\xff" * 100 + b"PAR1"])
def test_of_what_is_no_parquet_file_arrow_tells(content: bytes) -> None:
    with pytest.raises((pa.ArrowInvalid, OSError)):
        open_parquet(pa.BufferReader(content))


class Counted(io.BytesIO):
    """A file that knows how many bytes were read of it."""

    read_bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        self.read_bytes += len(content)
        return content


def test_of_what_is_no_parquet_file_the_end_alone_is_read() -> None:
    """Of letters the length of a footer would be 2 GB."""
    file = Counted(b"x" * (10 * _LIKELY_FOOTER_BYTES))
    refuse_deep(file)
    assert file.read_bytes == _LIKELY_FOOTER_BYTES
