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
_OF_A_FILE = ("name", "bytes", "version", "problem")
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

    def iterate(self, unit: int, column: str) -> Iterator[pa.Table]:
        """Yield what is listed for a unit's rows, some thousand rows at a time.

        Args:
            unit: its number.
            column: the one that the contents go into.

        Raises:
            OSError: the list cannot be read.
        """
        with self._open() as listed:
            for group in range(listed.num_row_groups):
                statistics = listed.metadata.row_group(group)
                first_unit = statistics.column(0).statistics.min
                first_column = statistics.column(1).statistics.min
                if (first_unit, first_column) == (unit, column):
                    yield listed.read_row_group(group, use_threads=False)

    def iterate_files(self) -> Iterator[tuple[str, list[RootedFile]]]:
        """Yield the files that there were, some thousand at a time, each behind its root.

        Raises:
            OSError, ArrowException: the list cannot be read.
        """
        with self._open() as listed:
            for group in range(listed.num_row_groups):
                table = listed.read_row_group(group, use_threads=False)
                root = table.column("root")[0].as_py()
                found = (_to_listed(*fields) for fields in _list_fields(table))
                there = [each.file for each in found if each.problem is None]
                # Several rows may name one file.
                yield root, list(dict.fromkeys(file for file in there if file is not None))

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        source = pa.BufferReader(self.content) if self.content else files.open_read(self.url)
        with source, pq.ParquetFile(source) as listed:
            yield listed


class ListedRows:
    """What is listed for the rows of one unit, taken in their order."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
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
        return [_to_listed(*fields) for fields in _list_fields(taken)]

    def _read_up_to(self, first: int, last: int) -> np.ndarray:
        """Forget rows before the first, read up to the last, and return the numbers that are there."""
        numbers = self._table.column("row").to_numpy()
        self._table = self._table.slice(int(np.searchsorted(numbers, first)))
        parts = [self._table]
        while not parts[-1].num_rows or parts[-1].column("row")[-1].as_py() < last:
            following = next(self._tables, None)
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
        self, unit: int, column: str, root: str, rows: np.ndarray, listed: Sequence[Listed]
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
            digest = self._digests.setdefault(unit, hashlib.sha256())
            for fields in zip(
                *(table.column(name).to_pylist() for name in _IN_DIGEST), strict=True
            ):
                digest.update(repr(fields).encode(errors="surrogatepass"))
        present = [each.file for each in listed if each.file is not None]
        self.files += len(present)
        self.size_bytes += sum(file.bytes for file in present)

    def find_digest(self, unit: int) -> str:
        """Return the digest of what is listed for a unit; nothing where no row is."""
        found = self._digests.get(unit)
        return "" if found is None else found.hexdigest()[:32]

    def close(self) -> FileList:
        """Return the list, in memory."""
        self._writer.close()
        return FileList(content=self._sink.getvalue().to_pybytes())


def count_files(content: bytes) -> int:
    """Return how many rows of a list name a file that there was."""
    with pq.ParquetFile(pa.BufferReader(content)) as listed:
        count = 0
        for group in range(listed.num_row_groups):
            problems = listed.read_row_group(group, ["name", "problem"])
            is_there = pc.and_(problems["name"].is_valid(), problems["problem"].is_null())
            count += pc.sum(is_there).as_py() or 0
    return count


def _make_table(
    unit: int, column: str, root: str, rows: np.ndarray, listed: Sequence[Listed]
) -> pa.Table:
    count = len(rows)
    found = [each.file for each in listed]
    return pa.table(
        {
            "unit": pa.repeat(pa.scalar(unit, pa.int32()), count),
            "column": pa.repeat(column, count),
            "row": rows,
            "root": pa.repeat(root, count),
            "name": [None if file is None else file.name for file in found],
            "bytes": [None if file is None else file.bytes for file in found],
            "version": [None if file is None else file.version for file in found],
            "problem": [each.problem for each in listed],
        },
        schema=SCHEMA,
    )


def _list_fields(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    columns = [table.column(name).to_pylist() for name in _OF_A_FILE]
    yield from zip(*columns, strict=True)


def _to_listed(
    name: str | None, size_bytes: int | None, version: str | None, problem: str | None
) -> Listed:
    if name is None or version is None:
        return Listed(None, problem)
    return Listed(RootedFile(name, size_bytes or 0, version), problem)
