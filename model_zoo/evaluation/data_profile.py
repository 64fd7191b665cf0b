"""A profile of training data and scores, column by column.

A later look at how far new data has drifted compares with it.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import inf, nextafter
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, Table, types
import pyarrow.compute as pc
from pyarrow.types import is_decimal, is_dictionary, is_nested

from model_zoo.steps.arrays import holds_numbers
from model_zoo.steps.lists import find_lists_with_missing, is_list

QUANTILE_LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_LEVELS = ", ".join(map(str, QUANTILE_LEVELS))
# Of a text column with more values, the rare ones tell little and could be anything.
_MOST_VALUES = 50
# By so much of itself a float may differ and be the same number: engines round last digits in ways of their own,
# and a table of doubles comes as one of 32 bits some day.
_SAME = 1e-5
_COUNTED_VALUE = pa.struct(
    [
        ("value", pa.string()),
        ("count", pa.int64()),
    ]
)
SCHEMA = pa.schema(
    [
        ("column", pa.string()),
        ("kind", pa.string()),
        ("type", pa.string()),
        ("rows", pa.int64()),
        ("missing", pa.int64()),
        ("distinct", pa.int64()),
        ("mean", pa.float64()),
        ("std", pa.float64()),
        ("min", pa.float64()),
        ("max", pa.float64()),
        # Not of fixed size: such a column with a null cannot be read back from Parquet.
        ("quantiles", pa.list_(pa.float64())),
        ("values", pa.list_(_COUNTED_VALUE)),
        # Below the first cut point, from each up to the next, and from the last: where many values are the
        # same, the quantiles' levels do not tell. Packages of older versions have none.
        ("counts", pa.list_(pa.int64())),
        # Those of older versions are cut at the quantiles alone.
        ("cut_points", pa.list_(pa.float64())),
    ],
    metadata={"quantile_levels": _LEVELS},
)


# Some of SCHEMA's columns of one record; the others are null.
_Record: TypeAlias = dict[str, Any]


def profile_table(
    features: Mapping[str, Array],
    scores: Mapping[str, Array],
) -> Table:
    """Return one record per feature and per score, with SCHEMA's columns.

    Missing are nulls and NaN. Numbers have `mean`, `std` (population), `min`, `max` and `quantiles`
    of their finite values; so has a binary column, of its sizes in bytes, and a column of lists, of
    the numbers in them. Texts and booleans have their most frequent `values`. Everything else is
    null, and so is `distinct` of lists.

    Args:
        features, scores: columns by name, in the order of their records.
    """
    records = _profile_columns("feature", features)
    records += _profile_columns("score", scores)
    return Table.from_pylist(records, schema=SCHEMA)


def _profile_columns(
    kind: str,
    columns: Mapping[str, Array],
) -> list[_Record]:
    records = []
    for name, column in columns.items():
        record = _profile_column(column)
        record["column"] = name
        record["kind"] = kind
        records.append(record)
    return records


def _profile_column(column: Array) -> _Record:
    if is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_nested(column.type):
        return _profile_lists(column)
    is_missing = pc.is_null(column, nan_is_null=True)
    is_present = pc.invert(is_missing)
    present = column.filter(is_present)
    distinct = pc.count_distinct(present)
    rows = len(column)
    common = {
        "type": str(column.type),
        "rows": rows,
        "missing": rows - len(present),
        "distinct": distinct.as_py(),
    }
    if _has_values(column.type):
        return common | _count_values(present)
    return common | _describe_numbers(present)


def _profile_lists(column: Array) -> _Record:
    """Return the record of a column of lists: of all numbers in them, as if they stood side by side."""
    record: _Record = {
        "type": str(column.type),
        "rows": len(column),
        "missing": column.null_count,
    }
    if not holds_numbers(column.type):
        return record
    # A list that lacks an item counts as missing, too.
    is_missing = find_lists_with_missing(column)
    record["missing"] = 0 if is_missing is None else is_missing.true_count
    values = column
    while is_list(values.type):
        values = values.flatten()
    present = values.drop_null()
    return record | _describe_numbers(present)


def _has_values(dtype: DataType) -> bool:
    is_string = types.is_string(dtype)
    is_large_string = types.is_large_string(dtype)
    is_boolean = types.is_boolean(dtype)
    return bool(is_string or is_large_string or is_boolean)


def _count_values(present: Array) -> _Record:
    """Return the most frequent values."""
    counted_values = present.value_counts()
    counts = counted_values.to_pylist()
    counts.sort(key=_rank_count)
    frequent = []
    for found in counts[:_MOST_VALUES]:
        # Booleans as texts, too: the schema has one type for all values.
        value = str(found["values"])
        count = found["counts"]
        frequent.append({"value": value, "count": count})
    return {"values": frequent}


def _rank_count(found: Mapping[str, Any]) -> tuple[int, Any]:
    # Ties in the order of the values, so that the same rows give the same file.
    return -found["counts"], found["values"]


def _describe_numbers(present: Array) -> _Record:
    """Return the figures of the finite numbers, or of the sizes of binary values in bytes."""
    if _is_binary(present.type):
        present = pc.binary_length(present)
    # Integers, and decimals as their nearest doubles, are the same ones everywhere.
    same = _SAME if types.is_floating(present.type) else 0.0
    # numpy would get decimals as Python objects.
    if is_decimal(present.type):
        present = present.cast(pa.float64())
    if not _is_number(present.type):
        return {}

    values = present.to_numpy(zero_copy_only=False)
    values = values.astype(np.float64)
    # One infinity would make every figure infinite or NaN.
    is_finite = np.isfinite(values)
    values = values[is_finite]
    if not len(values):
        return {}

    quantiles = np.quantile(values, QUANTILE_LEVELS).tolist()
    points = find_cut_points(quantiles, same)
    ends = [-inf, *points, inf]
    counts, _ = np.histogram(values, ends)
    return {
        "mean": float(values.mean()),
        "std": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
        "quantiles": quantiles,
        "counts": counts.tolist(),
        "cut_points": points,
    }


def find_cut_points(quantiles: Sequence[float], same: float = 0.0) -> list[float]:
    """Return what numbers are counted by: quantiles, and both sides of one that many numbers are.

    So a number that many rows have is counted by itself. Without, a column that was 0 in nearly every row
    of training could be anything above 0 in all of them, and all its counts were the same.

    Args:
        quantiles: ascending; the same number several times where many rows have it.
        same: by how much of itself a number may differ, and be counted as the same one.

    >>> find_cut_points([0.0, 0.0, 3.0, 4.0, 4.0], same=0.5)
    [0.0, 5e-324, 2.0, 3.0, 6.0]
    """
    points = set(quantiles)
    for before, after in pairwise(quantiles):
        if before == after:
            points.discard(after)
            width = abs(after) * same
            next_float = nextafter(after, inf)
            points.update((after - width, max(after + width, next_float)))
    return sorted(points)


def _is_binary(dtype: DataType) -> bool:
    is_binary = types.is_binary(dtype)
    is_large_binary = types.is_large_binary(dtype)
    return bool(is_binary or is_large_binary)


def _is_number(dtype: DataType) -> bool:
    is_integer = types.is_integer(dtype)
    is_floating = types.is_floating(dtype)
    return bool(is_integer or is_floating)
