"""The list of the files that rows name, each as it was when the run was planned.

It is one Parquet file beside the plan, in the order of units and rows, and published with the run:
workers find there what a file must still be, and `pipelines.verify --inputs` what it was. Row groups
are small and of one unit and column each, so that no more of it is ever in memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import Table
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage import files
from storage.rooted_file import RootedFile

# A unit is also what a worker does at a time, and what is lost when it is killed: some seconds of
# pictures. Always so many, whatever their sizes, so that one that is replaced moves no other into
# another unit.
FILES_OF_A_UNIT = 1_024
# Of one row group, in memory at once.
LISTED_ROWS = 1 << 16
SCHEMA = pa.schema(
    [
        ("unit", pa.int32()),
        # The column that the contents go into: a job may read files into several.
        ("column", pa.string()),
        # Number of the row in its shard.
        ("row", pa.int64()),
        ("root", pa.string()),
        # Below the root; null where the row names none.
        ("name", pa.string()),
        ("bytes", pa.int64()),
        ("version", pa.string()),
        # Why there is no content to read, in the words of the rejected row.
        ("problem", pa.string()),
    ]
)
_IN_DIGEST = ("column", "row", "name", "version", "problem")


@dataclass(frozen=True)
class Listed:
    """What was found for a row.

    Attributes:
        file: None where there is none to read.
        problem: why, in words; None, too, where the row names no file.
    """

    file: RootedFile | None
    problem: str | None = None


@dataclass(frozen=True)
class FileList:
    """Where the list is: in a file, or, before there is one, in memory."""

    url: str = ""
    content: bytes = b""

    def iterate(self, unit: int, column: str) -> Iterator[Table]:
        """Yield what is listed for a unit's rows, some thousand rows at a time.

        Args:
            unit: its number.
            column: the one that the contents go into.

        Raises:
            OSError: the list cannot be read.
        """
        with self._open() as listed:
            for group in range(listed.num_row_groups):
                metadata = listed.metadata.row_group(group)
                # All rows of a row group have one unit and one column, so the least ones are theirs.
                units = metadata.column(0).statistics
                columns = metadata.column(1).statistics
                if units.min == unit and columns.min == column:
                    yield listed.read_row_group(group, use_threads=False)

    def iterate_files(self) -> Iterator[tuple[str, list[RootedFile]]]:
        """Yield the files that there were, some thousand at a time, each behind its root.

        Raises:
            OSError, ArrowException: the list cannot be read.
        """
        with self._open() as listed:
            for group in range(listed.num_row_groups):
                table = listed.read_row_group(group, use_threads=False)
                roots = table.column("root")
                # A row group has one root, as it has one column.
                root = roots[0].as_py()
                # Several rows may name one file.
                found: dict[RootedFile, None] = {}
                for entry in _to_listed(table):
                    if entry.file is not None and entry.problem is None:
                        found[entry.file] = None
                yield root, list(found)

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        with self._open_source() as source, pq.ParquetFile(source) as listed:
            yield listed

    def _open_source(self) -> Any:
        if self.content:
            return pa.BufferReader(self.content)
        return files.open_read(self.url)


class ListedRows:
    """What is listed for the rows of one unit, taken in their order."""

    def __init__(self, tables: Iterator[Table]) -> None:
        self._tables = tables
        self._table = SCHEMA.empty_table()

    def take(self, rows: np.ndarray) -> list[Listed]:
        """Return what is listed for some rows.

        Args:
            rows: int64, their numbers in the shard, behind those that were taken before.
        """
        if not len(rows):
            return []
        numbers = self._read_up_to(rows[0], rows[-1])
        positions = np.searchsorted(numbers, rows)
        # The same rows that the launcher read: their shard is as it was.
        if not np.array_equal(numbers[positions], rows):
            raise AssertionError("the list of files has other rows than the shard")
        taken = self._table.take(positions)
        return _to_listed(taken)

    def _read_up_to(self, first: int, last: int) -> np.ndarray:
        """Forget rows before the first, read up to the last, and return the numbers that are there."""
        numbers = self._table.column("row").to_numpy()
        position = np.searchsorted(numbers, first)
        rest = self._table.slice(int(position))
        parts = [rest]
        while not _reaches(parts[-1], last):
            following = next(self._tables, None)
            # The caller fails where rows are missing.
            if following is None:
                break
            parts.append(following)
        self._table = pa.concat_tables(parts)
        return self._table.column("row").to_numpy()


class FileListWriter:
    """Write the list, row group by row group, and a digest of what it says for each unit."""

    def __init__(self) -> None:
        self._sink = pa.BufferOutputStream()
        self._writer = pq.ParquetWriter(self._sink, SCHEMA, compression="zstd")
        self._digests: dict[int, Any] = {}
        self.files = 0
        self.size_bytes = 0

    def add(
        self,
        unit: int,
        column: str,
        root: str,
        rows: np.ndarray,
        listed: Sequence[Listed],
    ) -> None:
        """Put rows of a unit behind those that are there.

        Args:
            unit: its number.
            column: the one that the contents go into.
            root: the folder of the files.
            rows: int64, their numbers in the shard.
            listed: what was found for each.
        """
        for first in range(0, len(rows), LISTED_ROWS):
            span = slice(first, first + LISTED_ROWS)
            table = _make_table(unit, column, root, rows[span], listed[span])
            self._writer.write_table(table)
            # One for all columns of a unit, and for all of its row groups.
            digest = self._digests.setdefault(unit, hashlib.sha256())
            _update_digest(digest, table)
        present = [each.file for each in listed if each.file is not None]
        self.files += len(present)
        self.size_bytes += sum(file.bytes for file in present)

    def find_digest(self, unit: int) -> str:
        """Return the digest of what is listed for a unit; nothing where no row is."""
        found = self._digests.get(unit)
        if found is None:
            return ""
        digest: str = found.hexdigest()
        return digest[:32]

    def close(self) -> FileList:
        """Return the list, in memory."""
        # Before the sink is read: the footer comes last.
        self._writer.close()
        written = self._sink.getvalue()
        return FileList(content=written.to_pybytes())


def count_files(content: bytes) -> int:
    """Return how many rows of a list name a file that there was."""
    count = 0
    source = pa.BufferReader(content)
    with pq.ParquetFile(source) as listed:
        for group in range(listed.num_row_groups):
            table = listed.read_row_group(group, ["name", "problem"])
            is_named = table["name"].is_valid()
            is_readable = table["problem"].is_null()
            is_there = pc.and_(is_named, is_readable)
            found = pc.sum(is_there)
            # Of no rows the sum is null.
            count += found.as_py() or 0
    return count


def _make_table(
    unit: int,
    column: str,
    root: str,
    rows: np.ndarray,
    listed: Sequence[Listed],
) -> Table:
    names: list[str | None] = []
    sizes_bytes: list[int | None] = []
    versions: list[str | None] = []
    for entry in listed:
        file = entry.file
        if file is None:
            names.append(None)
            sizes_bytes.append(None)
            versions.append(None)
        else:
            names.append(file.name)
            sizes_bytes.append(file.bytes)
            versions.append(file.version)
    count = len(rows)
    unit_number = pa.scalar(unit, pa.int32())
    columns = {
        "unit": pa.repeat(unit_number, count),
        "column": pa.repeat(column, count),
        "row": rows,
        "root": pa.repeat(root, count),
        "name": names,
        "bytes": sizes_bytes,
        "version": versions,
        "problem": [entry.problem for entry in listed],
    }
    return pa.table(columns, schema=SCHEMA)


def _update_digest(digest: Any, table: Table) -> None:
    columns = [table.column(name).to_pylist() for name in _IN_DIGEST]
    for fields in zip(*columns, strict=True):
        text = repr(fields)
        content = text.encode(errors="surrogatepass")
        digest.update(content)


def _to_listed(table: Table) -> list[Listed]:
    names = table.column("name").to_pylist()
    sizes_bytes = table.column("bytes").to_pylist()
    versions = table.column("version").to_pylist()
    problems = table.column("problem").to_pylist()
    listed = []
    for name, size_bytes, version, problem in zip(
        names, sizes_bytes, versions, problems, strict=True
    ):
        file = None
        if name is not None and version is not None:
            file = RootedFile(name, size_bytes or 0, version)
        entry = Listed(file, problem)
        listed.append(entry)
    return listed


def _reaches(table: Table, row: int) -> bool:
    """Tell whether a part of the list goes up to a row or beyond; one without rows does not."""
    if not table.num_rows:
        return False
    numbers = table.column("row")
    last = numbers[-1].as_py()
    return bool(last >= row)
