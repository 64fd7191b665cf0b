"""The columns of a profile: one row for each measure of a column."""

import pyarrow as pa
from pyarrow import Table

_COUNTED_VALUE = pa.struct([("value", pa.string()), ("count", pa.int64())])
_COUNTED_BIN = pa.struct([("value", pa.float64()), ("count", pa.int64())])
SCHEMA = pa.schema(
    [
        ("column", pa.string()),
        ("kind", pa.string()),
        ("measure", pa.string()),
        ("type", pa.string()),
        ("rows", pa.int64()),
        ("missing", pa.int64()),
        # Of numbers.
        ("nan", pa.int64()),
        ("infinite", pa.int64()),
        ("numbers", pa.int64()),
        ("mean", pa.float64()),
        ("std", pa.float64()),
        ("min", pa.float64()),
        ("max", pa.float64()),
        ("below", pa.int64()),
        ("above", pa.int64()),
        ("cut_points", pa.list_(pa.float64())),
        ("counts", pa.list_(pa.int64())),
        ("bins", pa.list_(_COUNTED_BIN)),
        # Of texts and booleans.
        ("distinct", pa.int64()),
        ("is_whole", pa.bool_()),
        ("new", pa.int64()),
        ("long", pa.int64()),
        ("with_value", pa.int64()),
        ("values", pa.list_(_COUNTED_VALUE)),
        # Of numbers, as whole multiples of 2 ** -1074 and of 2 ** -2148.
        ("sum", pa.string()),
        ("sum_of_squares", pa.string()),
        # How many of them were counted; and the squares of how many each of these stands for, added up.
        ("counted", pa.int64()),
        ("squared_weights", pa.int64()),
    ]
)
_LATER_COLUMNS = ("counted", "squared_weights")


def complete_profile(table: Table) -> Table:
    """Return a profile of an older version with the columns that it lacks: each number counts once there.

    Args:
        table: a profile, or any other table, which is left as it is.
    """
    is_profile = "numbers" in table.column_names
    for name in _LATER_COLUMNS:
        if is_profile and name not in table.column_names:
            table = table.append_column(SCHEMA.field(name), table.column("numbers"))
    return table
