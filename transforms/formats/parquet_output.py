"""Parquet files as output, with page checksums, which readers can check."""

from collections.abc import Mapping, Sequence
from typing import Any

from pyarrow import RecordBatch, Schema, Table
import pyarrow.parquet as pq

from storage import files
from storage.parquet_depth import open_parquet
from transforms.formats.output import FileFormat, TableWriter

# More than any preview shows.
_FIRST_ROWS = 100


class ParquetOutput:
    """Write Parquet; every Arrow type can be stored. See `OutputFormat` for the methods."""

    def find_problem(
        self,
        schema: Schema,
        escape_formulas: bool,
    ) -> str | None:
        """Refuse an option that is for spreadsheets."""
        if escape_formulas:
            return (
                "sink.escape_formulas: is for spreadsheets, which open CSV; "
                "set sink.format=csv, or leave it out"
            )
        return None

    def find_unfit(
        self,
        rows: RecordBatch,
        names: Sequence[str],
    ) -> Mapping[int, Exception]:
        """Return none: what was read can be stored."""
        return {}

    def open_writer(self, sink: Any, look: FileFormat) -> TableWriter:
        """Begin a file: zstd at its fastest, dictionaries for texts alone."""
        writer: TableWriter = pq.ParquetWriter(
            sink,
            look.schema,
            compression="zstd",
            compression_level=1,
            # Of numbers that hardly repeat, a dictionary costs twice the time and space.
            use_dictionary=list(look.repeating),
            # A reader that checks them sees what a disk has changed.
            write_page_checksum=True,
        )
        return writer

    def count_rows(self, url: str, file: Any) -> int:
        """Return what the footer says, which is written last."""
        stored = open_parquet(file)
        return int(stored.metadata.num_rows)

    def read_schema(self, file: Any) -> Schema | None:
        """Return the footer's schema."""
        return open_parquet(file).schema_arrow

    def read_first_rows(self, url: str) -> Table:
        """Return the first rows alone, as a row group may be large."""
        with files.open_read(url) as file:
            stored = open_parquet(file)
            batches = stored.iter_batches(_FIRST_ROWS)
            first = next(batches)
        return Table.from_batches([first])
