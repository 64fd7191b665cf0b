"""A profile of training data and scores, column by column, for a later look at how far new data has drifted from it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

QUANTILE_LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_MOST_VALUES = 50
_NUMBERS = ("mean", "std", "min", "max")
SCHEMA = pa.schema(
    [
        ("column", pa.string()),
        ("kind", pa.string()),
        ("type", pa.string()),
        ("rows", pa.int64()),
        ("missing", pa.int64()),
        ("distinct", pa.int64()),
        *((name, pa.float64()) for name in _NUMBERS),
        ("quantiles", pa.list_(pa.float64())),  # not of fixed size: such a column with a null cannot be read back from Parquet
        ("values", pa.list_(pa.struct([("value", pa.string()), ("count", pa.int64())]))),
    ],
    metadata={"quantile_levels": ", ".join(map(str, QUANTILE_LEVELS))},
)


def profile_table(features: Mapping[str, pa.Array], scores: Mapping[str, pa.Array]) -> pa.Table:
    """One record per feature and per score, in their order, with SCHEMA's columns.

    Missing are nulls and NaN. Numbers have `mean`, `std` (population), `min`, `max` and `quantiles` of their finite values; so has
    a binary column, of its sizes in bytes. Texts and booleans have their most frequent `values`. Everything else is null.
    """
    records = [{"column": name, "kind": "feature", **_profile(column)} for name, column in features.items()]
    records += [{"column": name, "kind": "score", **_profile(column)} for name, column in scores.items()]
    return pa.Table.from_pylist(records, schema=SCHEMA)


def _profile(column: pa.Array) -> dict[str, Any]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    present = column.filter(pc.invert(pc.is_null(column, nan_is_null=True)))
    common = {
        "type": str(column.type),
        "rows": len(column),
        "missing": len(column) - len(present),
        "distinct": pc.count_distinct(present).as_py(),
    }
    return common | (_values(present) if _has_values(column.type) else _numbers(present))


def _has_values(dtype: pa.DataType) -> bool:
    return pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_boolean(dtype)


def _values(present: pa.Array) -> dict[str, Any]:
    """The most frequent values, ties in the order of the values, so that the same rows give the same file."""
    counts = [(v["values"], v["counts"]) for v in present.value_counts().to_pylist()]
    counts.sort(key=lambda pair: (-pair[1], pair[0]))
    return {"values": [{"value": str(value), "count": count} for value, count in counts[:_MOST_VALUES]]}


def _numbers(present: pa.Array) -> dict[str, Any]:
    if pa.types.is_binary(present.type) or pa.types.is_large_binary(present.type):
        present = pc.binary_length(present)
    if not (pa.types.is_integer(present.type) or pa.types.is_floating(present.type)):
        return {}
    values = present.to_numpy(zero_copy_only=False).astype(np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return {}
    found = (values.mean(), values.std(), values.min(), values.max())
    return {**dict(zip(_NUMBERS, map(float, found), strict=True)), "quantiles": np.quantile(values, QUANTILE_LEVELS).tolist()}
