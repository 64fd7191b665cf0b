"""INT96 timestamps: which columns are such, and which values their unit does not hold exactly.

They have days and nanoseconds, more than any timestamp of Arrow holds: it wraps what does not fit,
in silence. Read in several units, which `parquet_ways.py` does, a value that wrapped or was rounded
shows where the units differ.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from pyarrow import Array, Field, Schema
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow.types import is_map, is_nested, is_struct, is_timestamp

from configs.errors import RowError
from transforms.logical_types import to_lists_of_pairs

# What INT96 becomes unless the job or the contract says otherwise: all years that anybody writes, and
# all digits that Spark does.
INT96_UNIT = "us"
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def has_int96(metadata: pq.FileMetaData) -> bool:
    """Tell whether a file has an INT96 column."""
    schema = metadata.schema
    for number in range(metadata.num_columns):
        leaf = schema.column(number)
        if leaf.physical_type == "INT96":
            return True
    return False


def list_int96_units(
    schema: Schema,
    int96: set[str],
) -> dict[str, str]:
    """Return the units that INT96 columns come out in, by name.

    Args:
        schema: the columns to read, with the types that they must come out in.
        int96: names of the columns that hold INT96.
    """
    units = {}
    for field in schema:
        if field.name not in int96:
            continue
        units[field.name] = INT96_UNIT
        # Those inside lists and the like keep the usual unit: a job can declare no nested type.
        if is_timestamp(field.type):
            units[field.name] = field.type.unit
    return units


def find_inexact(
    unit: str,
    values: Array,
    nanoseconds: Array,
    seconds: Array,
) -> np.ndarray:
    """Return the rows (int64) with an INT96 timestamp that its unit does not hold exactly.

    Args:
        unit: the unit that `values` are in.
        values: a column, which may be nested.
        nanoseconds: the same column in nanoseconds, which wrap where 64 bits are too few.
        seconds: the same column in whole seconds, which hold every day that INT96 has.
    """
    # The empty one for columns without any: numpy concatenates no empty sequence.
    nothing = np.empty(0, dtype=np.int64)
    inexact_rows = [nothing]
    per_second = _PER_SECOND[unit]
    all_rows = np.arange(len(values), dtype=np.int64)
    nanoseconds_per_unit = np.int64(_PER_SECOND["ns"] // per_second)
    for arrays, rows in _walk([values, nanoseconds, seconds], all_rows):
        first, second, third = arrays
        if not is_timestamp(first.type):
            continue
        # Timestamps of 64 bits are the same in every reading.
        if second.type == third.type:
            continue
        in_unit = _to_integers(first)
        in_nanoseconds = _to_integers(second)
        in_seconds = _to_integers(third)
        is_exact = in_unit // per_second == in_seconds
        # Both sides wrap alike, so only what is below the unit makes a difference.
        is_exact &= in_unit * nanoseconds_per_unit == in_nanoseconds
        inexact_rows.append(rows[~is_exact])
    # A nested value may hold several of them.
    return np.unique(np.concatenate(inexact_rows))


def explain_inexact(
    rows: np.ndarray,
    field: Field,
    unit: str,
) -> Mapping[int, Exception]:
    """Return why rows with an INT96 timestamp are rejected.

    Args:
        rows: their positions, int64.
        field: the column.
        unit: the unit of its values.

    Returns:
        By row, the same reason for all.
    """
    way_out = ""
    # A job can declare no nested type.
    if is_timestamp(field.type):
        other_unit = "ns"
        if unit == "ns":
            other_unit = "us"
        way_out = f"; if all fit timestamp[{other_unit}], say so in source.types"
    reason = RowError(
        f"column {field.name!r}: an INT96 timestamp that timestamp[{unit}] cannot hold exactly"
        f"{way_out}"
    )
    return dict.fromkeys(rows.tolist(), reason)


def _walk(
    arrays: Sequence[Array],
    rows: np.ndarray,
) -> Iterator[tuple[Sequence[Array], np.ndarray]]:
    """Yield arrays of one structure and all that is inside them, with the row of each value."""
    yield arrays, rows
    dtype = arrays[0].type
    if is_map(dtype):
        arrays = [to_lists_of_pairs(array) for array in arrays]
        dtype = arrays[0].type
    if is_struct(dtype):
        flattened = [array.flatten() for array in arrays]
        for children in zip(*flattened, strict=True):
            yield from _walk(children, rows)
    elif is_nested(dtype):
        flattened = [array.flatten() for array in arrays]
        # All arrays have one structure, so the first one's lists stand for all.
        parents = pc.list_parent_indices(arrays[0])
        rows_inside = rows[parents.to_numpy()]
        yield from _walk(flattened, rows_inside)


def _to_integers(array: Array) -> np.ndarray:
    integers = array.cast(pa.int64())
    # Nulls as a number that is the same moment in every unit.
    numbers: np.ndarray = integers.fill_null(0).to_numpy()
    return numbers
