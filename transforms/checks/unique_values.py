"""Whether a value stands in more than one row of a run, in bounded memory.

    digests of a unit's values, sorted -> a file of the unit  |
    digests of a unit's values, sorted -> a file of the unit  |  -> range by range: how many are there twice

Sorted digests lie in row groups, so that of each file a range can be read alone, and a range of all files
together is never more than what fits in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import RecordBatch, Table
import pyarrow.parquet as pq

from storage import files
from storage.parquet_chunks import check_chunks
from storage.parquet_depth import open_parquet
from transforms.checks.column_check import ColumnCheck
from transforms.checks.value_digests import digest_values
from transforms.summaries.chosen_rows import RowPlaces
from transforms.summaries.summary import Columns, Kind

_STORED = pa.schema([("high", pa.uint64()), ("low", pa.uint64())])
SCHEMA = pa.schema(
    [
        ("column", pa.string()),
        ("rule", pa.string()),
        # With a value.
        ("rows", pa.int64()),
        # With a value that another row has, but for the first of them.
        ("repeated", pa.int64()),
    ]
)
_GROUP_ROWS = 1 << 14
# Some 150 MB, with what sorting them takes.
_AT_ONCE = 1 << 21
_BITS = 64
# Digests, uint64 (values, 2), of each batch.
_State: TypeAlias = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class UniqueValues:
    """The digests of a column's values.

    Attributes:
        check: which column, and what follows.
        number: among the run's checks of this kind.
    """

    check: ColumnCheck
    number: int

    @property
    def name(self) -> str:
        """Return its part of file names: a column's own name may have any letters."""
        return f"unique{self.number}"

    def of(self, kind: Kind, columns: Columns, places: RowPlaces | None = None) -> _State:
        """Return the digests of some rows as they were read; see `Summary.of`."""
        if kind != "input":
            return ()
        return (digest_values(columns[self.check.column]),)

    def merge(self, first: _State, second: _State) -> _State:
        """Return the digests of both; see `Summary.merge`."""
        return (*first, *second)

    def write(self, state: _State) -> Table:
        """Return all digests in their order, in chunks; see `Summary.write`."""
        digests = _sort(state)
        chunks = []
        for first in range(0, len(digests), _GROUP_ROWS):
            behind = first + _GROUP_ROWS
            high, low = digests[first:behind].T
            columns = [pa.array(high), pa.array(low)]
            chunk = RecordBatch.from_arrays(columns, schema=_STORED)
            chunks.append(chunk)
        return Table.from_batches(chunks, schema=_STORED)

    def read(self, table: Table) -> _State:
        """Return what was written; see `Summary.read`."""
        if not table.schema.equals(_STORED):
            raise ValueError("other columns than those of digests")
        return (_to_array(table),)

    def merge_stored(self, urls: Sequence[str]) -> Table:
        """Return how many values of all files are there more than once; see `StoredSummary`."""
        rows = sum(map(_count_rows, urls))
        # A power of two, as digests are told apart by their first bits.
        more_parts = max(0, rows - 1) // _AT_ONCE
        bits = more_parts.bit_length()
        repeated = 0
        for part in range(1 << bits):
            state = [_read_part(url, part, bits) for url in urls]
            digests = _sort(state)
            repeated += _count_repeated(digests)
        check = self.check
        record = {
            "column": check.column,
            "rule": check.rule,
            "rows": rows,
            "repeated": repeated,
        }
        return Table.from_pylist([record], schema=SCHEMA)


def _sort(state: Sequence[np.ndarray]) -> np.ndarray:
    empty = np.empty((0, 2), dtype=np.uint64)
    digests = np.concatenate([empty, *state])
    high, low = digests.T
    order = np.lexsort((low, high))
    return digests[order]


def _count_repeated(digests: np.ndarray) -> int:
    """Return how many of sorted digests are equal to the one before."""
    behind = digests[1:]
    before = digests[:-1]
    is_equal = (behind == before).all(axis=1)
    return int(np.count_nonzero(is_equal))


def _count_rows(url: str) -> int:
    with files.open_read(url) as file:
        stored = open_parquet(file)
        return stored.metadata.num_rows


def _read_part(url: str, part: int, bits: int) -> np.ndarray:
    """Return the digests of a file whose first bits are those of a part.

    Args:
        url: of the file.
        part: number among 2 ** `bits`.
        bits: how many bits tell the part.
    """
    other_bits = _BITS - bits
    first = part << other_bits
    last = first + (1 << other_bits) - 1
    with files.open_read(url) as file:
        stored = open_parquet(file)
        numbers = []
        groups = range(stored.num_row_groups)
        check_chunks(stored.metadata, groups, (0,))
        for number in groups:
            group = stored.metadata.row_group(number)
            if _overlaps(group, first, last):
                numbers.append(number)
        rows = stored.read_row_groups(numbers, use_threads=False)
    digests = _to_array(rows)
    high = digests[:, 0]
    first_wanted = np.uint64(first)
    last_wanted = np.uint64(last)
    begin = np.searchsorted(high, first_wanted, side="left")
    end = np.searchsorted(high, last_wanted, side="right")
    return digests[begin:end]


def _overlaps(group: pq.RowGroupMetaData, first: int, last: int) -> bool:
    """Tell whether any digest of a row group may begin with bits between two, both included."""
    # Of a unit of which no row could be read, or none has a value: it has no statistics either.
    if not group.num_rows:
        return False
    statistics = group.column(0).statistics
    begins_before = statistics.min <= last
    ends_behind = statistics.max >= first
    return bool(begins_before and ends_behind)


def _to_array(table: Table) -> np.ndarray:
    columns = [table.column(name).to_numpy() for name in _STORED.names]
    return np.stack(columns, axis=1)
