"""Functions as a user would write them, for `function` steps."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


def add_total(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    return {"total": pc.add(rows["a"], rows["b"]).to_numpy(zero_copy_only=False)}


def pair(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    return {"pair": np.stack([rows["a"].to_numpy(), rows["b"].to_numpy()], axis=1)}


def refuse_negative(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    a = rows["a"].to_numpy()
    if (a < 0).any():
        raise ValueError("negative a")
    return {"root": np.sqrt(a)}


def fail_on_many(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    if rows.num_rows > 2:
        raise ValueError("too many")
    return {}


def one_row_less(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    return {"x": np.zeros(rows.num_rows - 1)}


def drop_a_5(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    a = rows["a"].to_numpy()
    if rows.num_rows > 1 and (a == 5).any():
        raise ValueError("a 5")
    return {"x": a[a != 5]}


def a_list(rows: pa.RecordBatch) -> dict[str, list[int]]:
    return {"x": [0] * rows.num_rows}


def double_frame(frame: pd.DataFrame) -> pd.DataFrame:
    assert isinstance(frame["a"].dtype, pd.ArrowDtype)
    return frame.assign(double=frame["a"] * 2, s=frame["s"].str.upper())


def drop_a_row(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[1:]


def no_columns(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[]]


def nothing(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame()


def not_a_frame(frame: pd.DataFrame) -> pd.Series:
    return frame["a"]


def reversed_rows(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[::-1]


def new_index(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.reset_index(drop=True).assign(b=1)


NUMBER = 7
