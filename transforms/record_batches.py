"""Some rows of a record batch, whatever its types."""

import numpy as np
import pyarrow as pa
from pyarrow import RecordBatch

from transforms.logical_types import take_values


def take_rows(rows: RecordBatch, positions: np.ndarray) -> RecordBatch:
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
        return RecordBatch.from_arrays(columns, schema=rows.schema)


def filter_rows(rows: RecordBatch, mask: np.ndarray) -> RecordBatch:
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
