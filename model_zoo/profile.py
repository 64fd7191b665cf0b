"""A profile of training data, column by column, for a later look at how far new data has drifted from it."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def profile_table(rows: pa.Table, scores: dict[str, np.ndarray]) -> pa.Table:
    """One record per input column and per score (`score.<name>`, `score.<name>[class]`).

    Columns: column, type, rows, nulls, distinct, mean, std, min, max, and quantiles (a list beside `quantile_levels`); numbers
    are null where the column is not numeric, and sizes in bytes stand for binary values.
    """
    records = [_profile(name, rows.column(name)) for name in rows.column_names]
    for name, values in scores.items():
        wide = values.reshape(len(values), -1)
        for i in range(wide.shape[1]):
            label = f"score.{name}" if wide.shape[1] == 1 else f"score.{name}[{i}]"
            records.append(_profile(label, pa.chunked_array([np.ascontiguousarray(wide[:, i])])))
    return pa.Table.from_pylist(records, schema=_SCHEMA)


_NUMBERS = ("mean", "std", "min", "max")
_SCHEMA = pa.schema(
    [
        ("column", pa.string()),
        ("type", pa.string()),
        ("rows", pa.int64()),
        ("nulls", pa.int64()),
        ("distinct", pa.int64()),
        *((name, pa.float64()) for name in _NUMBERS),
        ("quantile_levels", pa.list_(pa.float64())),
        ("quantiles", pa.list_(pa.float64())),
    ]
)


def _profile(name: str, column: pa.ChunkedArray) -> dict[str, object]:
    record: dict[str, object] = {
        "column": name,
        "type": str(column.type),
        "rows": len(column),
        "nulls": column.null_count,
        "distinct": pc.count_distinct(column).as_py(),
    }
    numbers = _numbers(column)
    if numbers is not None and len(numbers):
        record |= {"mean": numbers.mean(), "std": numbers.std(), "min": numbers.min(), "max": numbers.max()}
        record |= {"quantile_levels": list(_QUANTILES), "quantiles": np.quantile(numbers, _QUANTILES).tolist()}
    return record


def _numbers(column: pa.ChunkedArray) -> np.ndarray | None:
    if pa.types.is_binary(column.type):
        column = pc.binary_length(column)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return None
    values: np.ndarray = column.drop_null().to_numpy().astype(np.float64)
    return values[np.isfinite(values)]
