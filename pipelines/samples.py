"""Held-out rows as shards for scoring to read: Parquet, for plain tables CSV too, and their labels apart."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from storage import files


def write_held_out(rows: pa.Table, output: str, key: str, label: str, shards: int) -> list[str]:
    """Write `shards/`, for tables without binary columns `shards_csv/`, and `labels.parquet`; return their places.

    Shards grow in size, and each has two row groups, so that even the sample looks like real input. The CSV shards hold the same
    rows as the Parquet shards of the same number, bit for bit: Arrow writes the shortest text that parses back to the same float.
    """
    features = rows.drop_columns([label])
    tabular = not any(pa.types.is_binary(f.type) for f in features.schema)
    for number, shard in enumerate(uneven(features, shards)):
        files.put(files.join(output, f"shards/part-{number:05d}.parquet"), parquet_bytes(shard, -(-shard.num_rows // 2)))
        if tabular:
            files.put(files.join(output, f"shards_csv/part-{number:05d}.csv"), csv_bytes(shard))
    files.put(files.join(output, "labels.parquet"), parquet_bytes(rows.select([key, label])))
    return [files.join(output, name) for name in ("shards", *(["shards_csv"] if tabular else []), "labels.parquet")]


def parquet_bytes(table: pa.Table, row_group_rows: int | None = None) -> bytes:
    """A whole Parquet file, zstd, in memory."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=row_group_rows or None, write_page_checksum=True)
    return sink.getvalue().to_pybytes()


def csv_bytes(table: pa.Table) -> bytes:
    """A whole CSV file with a header line, in memory."""
    sink = pa.BufferOutputStream()
    pacsv.write_csv(table, sink)
    return sink.getvalue().to_pybytes()


def uneven(rows: pa.Table, shards: int) -> list[pa.Table]:
    """Contiguous pieces whose sizes are as 1 to 2 to 3 ...

    >>> [piece.num_rows for piece in uneven(pa.table({"id": range(10)}), 4)]
    [1, 2, 3, 4]
    """
    edges = np.rint(np.cumsum(np.arange(shards + 1)) / np.arange(shards + 1).sum() * rows.num_rows).astype(int).tolist()
    return [rows.slice(start, stop - start) for start, stop in pairwise(edges)]
