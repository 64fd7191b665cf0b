"""One file of rows on its way to the disk or store.

It is written, synced, and opened again to count its rows.
"""

from contextlib import ExitStack, suppress

import pyarrow as pa
from pyarrow import Table

from configs.errors import PublishError
from storage import files
from storage.run_folder import RunFolder
from transforms.batches import WrittenFile
from transforms.formats.output import FileFormat, find_output_format


class _Abandoned(Exception):
    """Ends the writing of a file that nobody will name, so that a store does not keep it."""


class PartFile:
    """A file of an attempt.

    Attributes:
        rows: how many were written so far.
    """

    def __init__(
        self,
        run: RunFolder,
        name: str,
        file_format: FileFormat,
    ) -> None:
        self.rows = 0
        self._name = name
        self._url = files.join(run.attempts, name)
        self._format = file_format.format
        # A stack, because the file is opened here and closed by another method.
        self._stack = ExitStack()
        opened = files.open_synced(self._url)
        self._sink = self._stack.enter_context(opened)
        sink = pa.PythonFile(self._sink, mode="w")
        output_format = find_output_format(file_format.format)
        self._writer = output_format.open_writer(sink, file_format)

    def write(self, table: Table) -> None:
        """Append rows of the format's schema."""
        self._writer.write_table(table)
        self.rows += table.num_rows

    def abandon(self) -> None:
        """Close and remove it, without a word about errors."""
        # Leaving the block of `open_synced` with an error is what lets go of a store's upload.
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
        # The writer first: it still has the end of the file to write.
        self._writer.close()
        self._stack.close()
        stored = count_rows(self._url, self._format)
        if stored != self.rows:
            raise PublishError(
                f"{self._url}: {self.rows} rows were written, but {stored} are in the file; "
                "check the disk, run again"
            )
        return WrittenFile(
            path=self._name,
            rows=self.rows,
            bytes=self._sink.bytes,
            sha256=self._sink.sha256,
        )


def count_rows(url: str, format: str) -> int:
    """Count the rows of a stored file, read from the file itself.

    Args:
        url: the file.
        format: name of its output format.

    Raises:
        PublishError: it cannot be read back.
        KeyError: there is no format of this name.
    """
    with files.open_read(url) as file:
        output_format = find_output_format(format)
        return output_format.count_rows(url, file)
