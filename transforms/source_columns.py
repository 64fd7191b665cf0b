"""Where each scored row came from, as columns of the output: its file, and its number there.

source_file              source_row
/in/part-00000.parquet   0
/in/part-00000.parquet   1
/in/part-00001.parquet   0
"""

import numpy as np
import pyarrow as pa
from pyarrow import Array

from transforms.batches import RawBatch
from transforms.rejected import list_shards

SOURCE_FILE = "source_file"
SOURCE_ROW = "source_row"


def make_source_columns(batch: RawBatch) -> dict[str, Array]:
    """Return the columns of a batch's rows, by name; numbers count from 0, as in rejected rows."""
    positions = np.arange(len(batch), dtype=np.int64)
    shards = list_shards(batch, positions)
    numbers = pa.array(batch.row_numbers, type=pa.int64())
    return {SOURCE_FILE: shards, SOURCE_ROW: numbers}


def make_no_source_columns() -> dict[str, Array]:
    """Return the columns of no rows."""
    return {
        SOURCE_FILE: pa.array([], type=pa.string()),
        SOURCE_ROW: pa.array([], type=pa.int64()),
    }
