"""One file of rows on its way to the disk or store: written, synced, and opened again to count its rows."""

from contextlib import ExitStack, suppress

import pyarrow as pa

from configs.errors import PublishError
from storage import files
from storage.layout import RunFolder
from transforms.batches import WrittenFile
from transforms.formats.output import FileFormat, find_output_format


class _Abandoned(Exception):
    """Ends the writing of a file that nobody will name, so that a store does not keep it."""


class PartFile:
    """A file of an attempt.

    Attributes:
        rows: how many were written so far.
    """

    def __init__(self, run: RunFolder, name: str, file_format: FileFormat) -> None:
        self.rows = 0
        self._url, self._name = files.join(run.attempts, name), name
        self._format = file_format.format
        self._stack = ExitStack()
        self._sink = self._stack.enter_context(files.open_synced(self._url))
        sink = pa.PythonFile(self._sink, mode="w")
        self._writer = find_output_format(file_format.format).open_writer(sink, file_format)

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
        """Finish and sync it, and count its rows in what was stored.

        Raises:
            OSError: it cannot be stored.
            PublishError: what was stored does not hold the rows that were written.
        """
        self._writer.close()
        self._stack.close()
        stored = count_rows(self._url, self._format)
        if stored != self.rows:
            raise PublishError(
                f"{self._url}: {self.rows} rows were written, but {stored} are in the file; "
                "check the disk, run again"
            )
        return WrittenFile(self._name, self.rows, self._sink.bytes, self._sink.sha256)


def count_rows(url: str, format: str) -> int:
    """Count the rows of a stored file, read from the file itself."""
    with files.open_read(url) as file:
        return find_output_format(format).count_rows(url, file)
