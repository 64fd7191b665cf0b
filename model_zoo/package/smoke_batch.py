"""Read the smoke batch, `smoke.parquet`: a few rows of input columns with the outputs that they must give."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import ModelError
from storage.parquet_chunks import check_chunks
from storage.parquet_depth import open_parquet

# Far more than a few rows take: a small file can stand for a table that fills memory.
_MOST_BYTES = 256 << 20
# Few: it is between them that a file is found to hold more than it says.
_ROWS_AT_A_TIME = 64


def parse_smoke_batch(content: bytes, path: str) -> pa.Table:
    """Return the contract's input columns, `input.<name>` and `output.<name>` of the network.

    Args:
        content: of the file.
        path: of the file, for messages.

    Raises:
        ModelError: it is not Parquet, is far larger than a smoke batch, or has no rows and so proves
            nothing.
    """
    reader = pa.BufferReader(content)
    try:
        with open_parquet(reader) as file:
            # Before anything is read, as a page of one value may stand for a billion rows.
            _refuse_large(_count_stated_values(file))
            _refuse_large(_count_stated_bytes(file))
            batches = _read_batches(file)
            table = pa.Table.from_batches(batches, schema=file.schema_arrow)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ModelError(f"{path}: is not a readable Parquet file: {error}") from error
    if table.num_rows == 0:
        raise ModelError(f"{path}: has no rows; write the package again with a smoke batch")
    return table


def _count_stated_values(file: pq.ParquetFile) -> int:
    """Return how many values there are, as the metadata says; repeated ones take no bytes there."""
    values = 0
    metadata = file.metadata
    groups = range(metadata.num_row_groups)
    # Not those of a row group, which may tell of more: of these pyarrow has no type, and ends the process.
    columns = range(metadata.num_columns)
    check_chunks(metadata, groups, columns)
    for number in groups:
        group = metadata.row_group(number)
        for column in columns:
            values += group.column(column).num_values
    return values


def _count_stated_bytes(file: pq.ParquetFile) -> int:
    """Return what the columns take without compression, as the metadata says."""
    size = 0
    metadata = file.metadata
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        size += group.total_byte_size
    return size


def _read_batches(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """Read a few rows at a time, so that a file whose metadata lies is refused on the way."""
    size = _count_stated_bytes(file)
    # A few rows are read before other threads would be awake.
    for batch in file.iter_batches(_ROWS_AT_A_TIME, use_threads=False):
        size += batch.nbytes
        _refuse_large(size)
        yield batch


def _refuse_large(size: int) -> None:
    if size > _MOST_BYTES:
        raise ValueError(f"it holds more than {_MOST_BYTES >> 20} MiB; a smoke batch is a few rows")
