"""Held-out rows as shards for scoring to read: Parquet, for plain tables CSV too, and their labels apart."""

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from storage import files


def write_held_out(rows: pa.Table, output: str, key: str, label: str, shards: int) -> list[str]:
    """Write `shards/`, for tables without binary columns `shards_csv/`, and `labels.parquet`; return their places.

    Shards grow in size, and each has two row groups, so that even the sample looks like real input.
    """
    features = rows.drop_columns([label])
    tabular = not any(pa.types.is_binary(f.type) for f in features.schema)
    for number, shard in enumerate(_uneven(features, shards)):
        files.put(files.join(output, f"shards/part-{number:05d}.parquet"), parquet_bytes(shard, -(-shard.num_rows // 2)))
        if tabular:
            files.put(files.join(output, f"shards_csv/part-{number:05d}.csv"), _csv_bytes(shard))
    files.put(files.join(output, "labels.parquet"), parquet_bytes(rows.select([key, label])))
    return [files.join(output, name) for name in ("shards", *(["shards_csv"] if tabular else []), "labels.parquet")]


def parquet_bytes(table: pa.Table, row_group_rows: int | None = None) -> bytes:
    """A whole Parquet file, zstd, in memory."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=row_group_rows, write_page_checksum=True)
    return sink.getvalue().to_pybytes()


def _uneven(rows: pa.Table, shards: int) -> list[pa.Table]:
    edges = np.round(np.cumsum(np.arange(shards + 1)) / np.arange(shards + 1).sum() * rows.num_rows).astype(int)
    return [rows.slice(start, stop - start) for start, stop in itertools.pairwise(edges)]


def _csv_bytes(rows: pa.Table) -> bytes:
    """CSV whose floats parse back to the same bits (the shortest text that does)."""
    text = {n: [repr(v) if isinstance(v, float) else v for v in rows.column(n).to_pylist()] for n in rows.column_names}
    lines = [",".join(rows.column_names), *(",".join(str(v) for v in line) for line in zip(*text.values(), strict=True))]
    return ("\n".join(lines) + "\n").encode()
