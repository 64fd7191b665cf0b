"""Record batches as bytes: an Arrow IPC stream, which holds a slice's own rows and no more."""

import pyarrow as pa
from pyarrow import RecordBatch


def dump_rows(rows: RecordBatch, compression: str | None = None) -> bytes:
    """Return a record batch as bytes.

    Args:
        rows: the record batch.
        compression: as Arrow calls it; None for none.
    """
    sink = pa.BufferOutputStream()
    # A worker has one core: to hand columns to other threads takes longer than to compress short ones.
    options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False)
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write_batch(rows)
    content = sink.getvalue()
    return content.to_pybytes()


def load_rows(data: bytes) -> RecordBatch:
    """Return the record batch that `dump_rows` was given."""
    options = pa.ipc.IpcReadOptions(use_threads=False)
    with pa.ipc.open_stream(data, options=options) as reader:
        return reader.read_next_batch()
