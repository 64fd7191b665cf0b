"""What an output format is: how a file of rows is written, and read again once it is stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyarrow as pa
from pyarrow import Field, RecordBatch, Schema, Table

from transforms.formats.table import OUTPUT_FORMATS, import_maker
from transforms.logical_types import passes_any


@dataclass(frozen=True)
class FileFormat:
    """How the files of a run look.

    Attributes:
        format: name of the output format, which is also how the files' names end.
        schema: all columns, with the model's name, version and digest as metadata.
        repeating: columns of texts that are worth a dictionary; for numbers that hardly repeat it
            costs twice the time and space.
        sort_by: (column, `ascending` or `descending`), the order of rows inside a file.
        rows_per_file: rows of a file, at most.
        escape_formulas: texts that a spreadsheet would take for formulas get an apostrophe.
        partition_by: columns that stand in the names of folders, and not in the files.
    """

    format: str
    schema: Schema
    repeating: tuple[str, ...]
    sort_by: tuple[tuple[str, str], ...]
    rows_per_file: int
    escape_formulas: bool = False
    partition_by: tuple[str, ...] = ()

    def without_partitions(self) -> "FileFormat":
        """Return how the files themselves look."""
        fields = [field for field in self.schema if field.name not in self.partition_by]
        metadata = self.schema.metadata
        return replace(
            self,
            schema=pa.schema(fields, metadata),
            repeating=tuple(name for name in self.repeating if name not in self.partition_by),
            partition_by=(),
        )


def plain_parquet(schema: Schema) -> FileFormat:
    """Return how a file beside the scores looks, whatever those are written as: all rows in one file."""
    return FileFormat("parquet", schema, repeating=(), sort_by=(), rows_per_file=0)


class TableWriter(Protocol):
    """A file on its way."""

    def write_table(self, table: Table) -> None:
        """Append rows."""

    def close(self) -> None:
        """Finish the file; what it was written to stays open."""


class OutputFormat(Protocol):
    """How files of one kind are written."""

    def find_problem(
        self,
        schema: Schema,
        escape_formulas: bool,
    ) -> str | None:
        """Return why rows cannot be stored so, in the words of a job; None when they can.

        Args:
            schema: the columns of the rows.
            escape_formulas: the job's `sink.escape_formulas`.
        """

    def find_unfit(
        self,
        rows: RecordBatch,
        names: Sequence[str],
    ) -> Mapping[int, Exception]:
        """Return the rows with a value that cannot be stored so, and why.

        Args:
            rows: the rows.
            names: the columns that will be stored.
        """

    def open_writer(self, sink: Any, look: FileFormat) -> TableWriter:
        """Begin a file.

        Args:
            sink: where its bytes go, open for writing.
            look: columns and options.
        """

    def count_rows(self, url: str, file: Any) -> int:
        """Count the rows of a stored file, read from the file itself.

        Args:
            url: of the file, for errors.
            file: open for reading.

        Raises:
            PublishError: it cannot be read back.
        """

    def read_schema(self, file: Any) -> Schema | None:
        """Return the columns of a stored file; None when its kind tells none."""

    def read_first_rows(self, url: str) -> Table:
        """Return some of the first rows of a stored file with rows, to be looked at.

        What the file tells no type of comes as text: a type that is guessed shows 501 where the
        file has 00501.
        """


def find_output_format(name: str) -> OutputFormat:
    """Return the output format of this name.

    Raises:
        KeyError: there is no format of this name.
    """
    make: Callable[[], OutputFormat] = import_maker(OUTPUT_FORMATS[name])
    return make()


def columns_of_types(schema: Schema, checks: Sequence[Any]) -> list[Field]:
    """Return the columns whose type passes one of some checks.

    Args:
        schema: all columns.
        checks: functions of `pyarrow.types`.
    """
    return [field for field in schema if passes_any(field.type, checks)]
