"""Held-out rows as shards for scoring to read, Parquet, for tables CSV too, and their labels."""

from collections.abc import Sequence
from itertools import pairwise
import math

import numpy as np
import pyarrow as pa
from pyarrow import types
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from storage import files

SHARDS = "shards"
CSV_SHARDS = "shards_csv"
LABELS = "labels.parquet"
# What is written, and no other file of that folder is ours.
WRITTEN = (SHARDS, CSV_SHARDS, LABELS)
_NO_TEXTS = (
    types.is_binary,
    types.is_large_binary,
    types.is_fixed_size_binary,
    types.is_nested,
)


def write_held_out(
    rows: pa.Table,
    output: str,
    key: str,
    labels: Sequence[str],
    shards: int,
) -> None:
    """Write `shards/`, for tables that CSV can hold `shards_csv/`, and `labels.parquet`.

    The CSV shards hold the same rows as the Parquet shards of the same number, bit for bit: Arrow
    writes the shortest text that parses back to the same float.

    Args:
        rows: all columns.
        output: folder that they are written to.
        key: column that names a row.
        labels: columns that scoring must not see.
        shards: how many.
    """
    features = rows.drop_columns(list(labels))
    # A column without any value has no type that a reader could rely on.
    if rows.num_rows:
        empty = [field.name for field in features.schema if pa.types.is_null(field.type)]
        features = features.drop_columns(empty)
    is_plain = not any(map(_is_no_text, features.schema.types))
    parts = cut_unevenly(features, shards)
    for number, shard in enumerate(parts):
        name = f"part-{number:05d}"
        # Two row groups, so that even the sample looks like real input.
        half = math.ceil(shard.num_rows / 2)
        parquet = files.join(output, f"{SHARDS}/{name}.parquet")
        content = to_parquet(shard, half)
        files.put(parquet, content)
        if is_plain:
            csv = files.join(output, f"{CSV_SHARDS}/{name}.csv")
            content = to_csv(shard)
            files.put(csv, content)

    answers = rows.select([key, *labels])
    labels_file = files.join(output, LABELS)
    content = to_parquet(answers)
    files.put(labels_file, content)


def _is_no_text(dtype: pa.DataType) -> bool:
    """Tell whether CSV cannot hold such values: bytes of images, and lists."""
    return any(is_such(dtype) for is_such in _NO_TEXTS)


def to_parquet(table: pa.Table, row_group_rows: int | None = None) -> bytes:
    """Return a whole Parquet file, zstd.

    Args:
        table: its rows.
        row_group_rows: rows of a row group; None for one of all.
    """
    # In memory: only storage writes files.
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        # pyarrow refuses 0, which half of no rows is.
        row_group_size=row_group_rows or None,
        write_page_checksum=True,
    )
    content = sink.getvalue()
    return content.to_pybytes()


def to_csv(table: pa.Table) -> bytes:
    """Return a whole CSV file with a header line."""
    sink = pa.BufferOutputStream()
    pacsv.write_csv(table, sink)
    content = sink.getvalue()
    return content.to_pybytes()


def cut_unevenly(rows: pa.Table, shards: int) -> list[pa.Table]:
    """Return contiguous parts whose sizes are as 1 to 2 to 3 ...

    Real shards differ in size.

    Args:
        rows: what is cut.
        shards: how many parts.

    >>> [part.num_rows for part in cut_unevenly(pa.table({"id": range(10)}), 4)]
    [1, 2, 3, 4]
    """
    # 0, 1, 2, 3 ...: the first one makes the edge before the first part.
    sizes = np.arange(shards + 1)
    shares = np.cumsum(sizes) / sizes.sum()
    edges = np.rint(shares * rows.num_rows)
    row_numbers = edges.astype(int).tolist()
    parts = []
    for start, stop in pairwise(row_numbers):
        part_rows = stop - start
        part = rows.slice(start, part_rows)
        parts.append(part)
    return parts
