"""One Parquet or CSV file of rows on its way to the disk or store: written, synced, and opened again to count its rows."""

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import PublishError
from storage import files
from storage.layout import RunFolder
from transforms.batches import WrittenFile
from transforms.write_csv import CsvWriter, count_csv_rows


@dataclass(frozen=True)
class FileFormat:
    """How scored files look.

    Attributes:
        format: `parquet` or `csv`.
        schema: all columns, with the model's name, version and digest as metadata.
        repeating: columns of Parquet files to dictionary-encode; for numbers that hardly repeat it costs twice the time and space.
        sort_by: (column, `ascending` or `descending`), the order of rows inside a file.
        rows_per_file: rows of a file, at most.
        escape_formulas: CSV: texts that a spreadsheet would take for formulas get an apostrophe.
    """

    format: str
    schema: pa.Schema
    repeating: tuple[str, ...]
    sort_by: tuple[tuple[str, str], ...]
    rows_per_file: int
    escape_formulas: bool = False


class _TableWriter(Protocol):
    def write_table(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


class _Abandoned(Exception):
    """Ends the writing of a file that nobody will name, so that a store does not keep it."""


class PartFile:
    """A file of an attempt; `close` syncs it and opens it again to count its rows."""

    def __init__(self, run: RunFolder, name: str, file_format: FileFormat) -> None:
        self.rows = 0
        self._url, self._name = files.join(run.attempts, name), name
        self._format = file_format.format
        self._stack = ExitStack()
        self._sink = self._stack.enter_context(files.open_synced(self._url))
        self._writer = self._table_writer(file_format)

    def write(self, table: pa.Table) -> None:
        """Append rows of the format's schema."""
        self._writer.write_table(table)
        self.rows += table.num_rows

    def abandon(self) -> None:
        """Close and remove it, without a word about errors."""
        with suppress(OSError, _Abandoned), self._stack:
            raise _Abandoned
        with suppress(OSError):
            files.remove(self._url)

    def close(self) -> WrittenFile:
        """Finish it.

        Raises:
            OSError: it cannot be stored.
            PublishError: what was stored does not hold the rows that were written.
        """
        self._writer.close()
        self._stack.close()
        stored = count_rows(self._url, self._format)
        if stored != self.rows:
            raise PublishError(
                f"{self._url}: {self.rows} rows were written, but {stored} are in the file; check the disk, run again"
            )
        return WrittenFile(self._name, self.rows, self._sink.bytes, self._sink.sha256)

    def _table_writer(self, file_format: FileFormat) -> _TableWriter:
        sink: Any = pa.PythonFile(self._sink, mode="w")
        if file_format.format == "csv":
            return CsvWriter(sink, file_format.schema, file_format.escape_formulas)
        return pq.ParquetWriter(
            sink,
            file_format.schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=list(file_format.repeating),
            write_page_checksum=True,
        )


def count_rows(url: str, format: str) -> int:
    """Rows of a stored file, read from the file itself."""
    with files.open_read(url) as file:
        if format == "parquet":
            return int(pq.ParquetFile(file).metadata.num_rows)
        return count_csv_rows(url, file)
