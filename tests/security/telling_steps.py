"""Functions of a user who puts what a row holds into every error, in every way that one can think of."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa


def _row(rows: pa.RecordBatch) -> dict[str, object] | None:
    """The first bad row among these; `bad` names how it is told."""
    return next((row for row in rows.to_pylist() if row["bad"]), None)


def quoted(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    if row := _row(rows):
        raise ValueError(f"cannot use {row!r}")
    return {}


def bare(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    if row := _row(rows):
        raise KeyError(
            f"no such customer: {row['name']} <{row['mail']}> paying with {row['card']} {row['inner']['street']}"
        )
    return {}


def shouted(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    if row := _row(rows):
        raise RuntimeError(
            f"{row['name'].upper()} of {row['inner']['street'].lower()}: {row['raw'].decode('latin-1')} {row['raw'].hex()}"
        )
    return {}


def parts(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    if row := _row(rows):
        raise ValueError(
            "Mr " + row["name"].split()[-1] + " lives in " + row["inner"]["street"].split()[0]
        )
    return {}


def numpy_cast(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    if row := _row(rows):
        return {"x": np.array([row["name"]] * rows.num_rows).astype(float)}
    return {}


def pandas_cast(frame: pd.DataFrame) -> pd.DataFrame:
    if (frame["bad"] != "").any():
        frame["name"].astype("string").astype(float)
    return frame.assign(fine=1)


def arrow_cast(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    if _row(rows):
        rows["name"].cast(pa.float64())
    return {}


def chained(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    try:
        return bare(rows)
    except KeyError as error:
        raise ValueError("while looking up") from error


def each(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    row = _row(rows)
    return WAYS[str(row["bad"])](rows) if row else {}


def always(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    raise ValueError(f"{rows['name'][0]} is not welcome")


def together(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    if rows.num_rows > 2:
        raise ValueError(f"too many with {rows['name'][0].as_py()}")
    return {}


def warns(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    return {
        "length": np.array([len(name) for name in rows["name"].to_pylist()]),
        "other": rows["name"].to_numpy(zero_copy_only=False),
    }


WAYS: dict[str, Callable[[pa.RecordBatch], dict[str, np.ndarray]]] = {
    way.__name__: way for way in (quoted, bare, shouted, parts, numpy_cast, arrow_cast, chained)
}
