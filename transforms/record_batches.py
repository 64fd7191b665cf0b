"""Rows of record batches, whatever their types; and record batches as bytes.

The bytes are an Arrow IPC stream, which holds a slice's own rows and no more.
"""

import numpy as np
import pyarrow as pa

from transforms.logical_types import take_values


def take_rows(rows: pa.RecordBatch, positions: np.ndarray) -> pa.RecordBatch:
    """Return some rows of a record batch.

    Args:
        rows: the record batch.
        positions: int64, of the rows.
    """
    taken = pa.array(positions)
    try:
        return rows.take(taken)
    # Arrow takes no rows of views; those are few, and cost two copies.
    except pa.ArrowNotImplementedError:
        columns = [take_values(column, taken) for column in rows.columns]
        return pa.RecordBatch.from_arrays(columns, schema=rows.schema)


def filter_rows(rows: pa.RecordBatch, mask: np.ndarray) -> pa.RecordBatch:
    """Return the rows of a record batch that a mask keeps.

    Args:
        rows: the record batch.
        mask: bool (rows,).
    """
    try:
        return rows.filter(pa.array(mask))
    # Of views neither, as in `take_rows`.
    except pa.ArrowNotImplementedError:
        positions = np.flatnonzero(mask)
        return take_rows(rows, positions)


def dump_rows(rows: pa.RecordBatch, compression: str | None = None) -> bytes:
    """Return a record batch as bytes.

    Args:
        rows: the record batch.
        compression: as Arrow calls it; None for none.
    """
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write_batch(rows)
    content = sink.getvalue()
    return content.to_pybytes()


def load_rows(data: bytes) -> pa.RecordBatch:
    """Return the record batch that `dump_rows` was given."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch()
