"""The list of the files that rows name, each as it was when the run was planned.

It is one Parquet file beside the plan, in the order of units and rows, and published with the run:
workers find there what a file must still be, and `pipelines.verify --inputs` what it was. Row groups
are small and of one unit and column each, so that no more of it is ever in memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import hashlib
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Table
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage import files
from storage.parquet_chunks import check_chunks
from storage.parquet_depth import open_parquet
from storage.rooted_file import RootedFile

# Of rows in their shard, int64.
Numbers: TypeAlias = np.ndarray
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
_OF_ENTRIES = ["name", "bytes", "version", "problem"]
_TOLD = ["name", "problem"]
_IN_DIGEST = ["column", "row", "name", "version", "problem"]


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
            OSError, ArrowException: the list cannot be read.
        """
        with self._open() as listed:
            footer = listed.metadata
            check_chunks(footer, range(footer.num_row_groups), (0, 1))
            for number in range(footer.num_row_groups):
                group = footer.row_group(number)
                # All rows of a row group have one unit and one column, so the least ones are theirs.
                units = group.column(0).statistics
                if units.min != unit:
                    continue
                columns = group.column(1).statistics
                if columns.min == column:
                    yield listed.read_row_group(number, use_threads=False)

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
                    file = entry.file
                    if file is not None and entry.problem is None:
                        found[file] = None
                yield root, list(found)

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        with self._open_source() as source, open_parquet(source) as listed:
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

    def take(self, rows: Numbers) -> list[Listed]:
        """Return what is listed for some rows.

        Args:
            rows: int64, their numbers in the shard, behind those that were taken before.
        """
        if not len(rows):
            return []
        first = rows[0]
        last = rows[-1]
        numbers = self._read_up_to(first, last)
        positions = np.searchsorted(numbers, rows)
        found = numbers[positions]
        # The same rows that the launcher read: their shard is as it was.
        if not np.array_equal(found, rows):
            raise AssertionError("the list of files has other rows than the shard")
        taken = self._table.take(positions)
        return _to_listed(taken)

    def _read_up_to(self, first: int, last: int) -> Numbers:
        """Forget rows before the first, read up to the last, and return the numbers that are there."""
        numbers = _get_numbers(self._table)
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
        return _get_numbers(self._table)


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
        rows: Numbers,
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
        count = len(rows)
        for first in range(0, count, LISTED_ROWS):
            stop = first + LISTED_ROWS
            some_rows = rows[first:stop]
            entries = listed[first:stop]
            table = _make_table(unit, column, root, some_rows, entries)
            self._writer.write_table(table)
            # One for all columns of a unit, and for all of its row groups.
            digest = self._digests.setdefault(unit, hashlib.sha256())
            _update_digest(digest, table)
        for entry in listed:
            if entry.file is not None:
                self.files += 1
                self.size_bytes += entry.file.bytes

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
    with open_parquet(source) as listed:
        for group in range(listed.num_row_groups):
            table = listed.read_row_group(group, _TOLD)
            names = table["name"]
            problems = table["problem"]
            is_named = names.is_valid()
            is_readable = problems.is_null()
            is_there = pc.and_(is_named, is_readable)
            found = pc.sum(is_there)
            # Of no rows the sum is null.
            count += found.as_py() or 0
    return count


def _make_table(
    unit: int,
    column: str,
    root: str,
    rows: Numbers,
    listed: Sequence[Listed],
) -> Table:
    names: list[str | None] = []
    sizes_bytes: list[int | None] = []
    versions: list[str | None] = []
    problems: list[str | None] = []
    for entry in listed:
        problems.append(entry.problem)
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
    number_type = pa.int32()
    unit_number = pa.scalar(unit, number_type)
    columns = {
        "unit": pa.repeat(unit_number, count),
        "column": pa.repeat(column, count),
        "row": rows,
        "root": pa.repeat(root, count),
        "name": names,
        "bytes": sizes_bytes,
        "version": versions,
        "problem": problems,
    }
    return pa.table(columns, schema=SCHEMA)


def _update_digest(digest: Any, table: Table) -> None:
    told = table.select(_IN_DIGEST)
    columns = [column.to_pylist() for column in told.columns]
    for fields in zip(*columns, strict=True):
        text = repr(fields)
        content = text.encode(errors="surrogatepass")
        digest.update(content)


def _to_listed(table: Table) -> list[Listed]:
    told = table.select(_OF_ENTRIES)
    columns = [column.to_pylist() for column in told.columns]
    listed = []
    for name, size_bytes, version, problem in zip(*columns, strict=True):
        file = None
        if name is not None and version is not None:
            file = RootedFile(name, size_bytes or 0, version)
        entry = Listed(file, problem)
        listed.append(entry)
    return listed


def _get_numbers(table: Table) -> Numbers:
    rows = table.column("row")
    return rows.to_numpy()


def _reaches(table: Table, row: int) -> bool:
    """Tell whether a part of the list goes up to a row or beyond; one without rows does not."""
    if not table.num_rows:
        return False
    numbers = table.column("row")
    last = numbers[-1].as_py()
    return bool(last >= row)
