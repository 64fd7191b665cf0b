"""Step `function`: a user's own vectorised function.

The job lists the module that it comes from. When it fails on a batch, the batch is halved until the
rows that it fails on are alone; of its own words only the class of the error and the line of the
user's file are kept, because the text might hold a row's values.
"""

from collections.abc import Callable
from functools import partial
import importlib
import os
import traceback
from types import FunctionType
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from configs.errors import JobError, RejectedRows
from configs.user_code import why_not
from model_zoo.halving import find_rejected
from model_zoo.steps.arrays import Column, Columns, to_arrow
from model_zoo.steps.step import Word

_NAME = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z]\w*$"


class Function(Word):
    """A user's function, `module:function`, from a module that the job lists in `preprocess.modules`.

    Modules of Python, of this program and of the libraries that it needs are not a user's own, and
    never called.

    `takes: arrow` is `pa.RecordBatch -> dict[str, np.ndarray]`, arrays (rows, ...) that are added to
    the columns; `takes: pandas` is `pd.DataFrame -> pd.DataFrame` with Arrow types and the same rows
    in the same order.
    """

    step: Literal["function"]
    function: Annotated[str, Field(pattern=_NAME)]
    takes: Literal["arrow", "pandas"] = "arrow"

    @model_validator(mode="after")
    def _is_a_users_own(self) -> "Function":
        if reason := why_not(self.module):
            raise ValueError(
                f"function {self.function}: {reason}; name a function that you wrote, "
                "in a module of your own"
            )
        return self

    @property
    def module(self) -> str:
        """Return the module's name, which the job must list."""
        return self.function.partition(":")[0]

    def apply(self, columns: Columns, rows: int) -> dict[str, Column]:
        """Return the columns that the function gives."""
        table = pa.RecordBatch.from_pydict(
            {name: to_arrow(column) for name, column in columns.items() if _is_flat(column)}
        )
        user_function = find_function(self.function)
        call = _call_arrow if self.takes == "arrow" else _call_pandas
        try:
            return call(self.function, user_function, table)
        except (JobError, RejectedRows):
            raise
        except Exception as error:
            attempt = partial(_call_on_rows, call, self.function, user_function, table)
            file = user_function.__code__.co_filename
            raise _explain(self.function, error, rows, attempt, file) from error


def find_function(name: str) -> Any:
    """Import `module:function`.

    Raises:
        JobError: it cannot be imported, or is not a function that the module itself defines.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a user's module may raise anything when it is imported
        raise JobError(
            f"preprocess function {name} cannot be imported: {type(error).__name__}: {error}; "
            "install its package where workers run, or name its folder in PYTHONPATH"
        ) from error
    if not isinstance(found, FunctionType) or found.__module__ != module:
        raise JobError(
            f"preprocess function {name}: is not a function that {module} defines; "
            "name one that it does"
        )
    return found


def _is_flat(column: Column) -> bool:
    return isinstance(column, pa.Array) or column.ndim == 1


def _call_on_rows(
    call: Any, name: str, user_function: Any, table: pa.RecordBatch, positions: np.ndarray
) -> Any:
    return call(name, user_function, table.take(pa.array(positions)))


def _call_arrow(name: str, user_function: Any, table: pa.RecordBatch) -> dict[str, Column]:
    arrays = user_function(table)
    is_right = isinstance(arrays, dict) and all(
        isinstance(array, np.ndarray) for array in arrays.values()
    )
    if not is_right:
        raise JobError(f"preprocess function {name} must return dict[str, np.ndarray]")
    return _check_rows(name, arrays, table.num_rows)


def _call_pandas(name: str, user_function: Any, table: pa.RecordBatch) -> dict[str, Column]:
    import pandas as pd

    given = table.to_pandas(types_mapper=pd.ArrowDtype)
    index = given.index
    frame = user_function(given)
    if not isinstance(frame, pd.DataFrame):
        raise JobError(f"preprocess function {name} must return a pandas DataFrame")
    if len(frame) == len(index) and not frame.index.equals(index):
        raise JobError(
            f"preprocess function {name} must return the rows in their order; "
            "their index was changed"
        )
    result = pa.Table.from_pandas(frame, preserve_index=False)
    columns = {column: result.column(column).combine_chunks() for column in result.column_names}
    return _check_rows(name, columns, table.num_rows)


def _check_rows(name: str, arrays: dict[str, Any], rows: int) -> dict[str, Column]:
    for column, array in arrays.items():
        if len(array) != rows:
            raise JobError(
                f"preprocess function {name} returned {len(array)} values of {column!r} "
                f"for {rows} rows"
            )
    return arrays


def _explain(
    name: str, error: Exception, rows: int, attempt: Callable[[np.ndarray], Any], file: str
) -> RejectedRows | JobError:
    """Return what a function's failure comes to: rows that it fails on, or a job that cannot go on."""
    try:
        rejected = find_rejected(rows, attempt)
    except JobError:
        raise
    except Exception as last:  # noqa: BLE001 - it fails on whatever it is given
        return JobError(
            f"preprocess function {name} fails on every row that it was tried on: "
            f"{_where(last, file)}; mend it, or the input"
        )
    if rejected is not None:
        return rejected
    return JobError(
        f"preprocess function {name} failed on {rows} rows but on none of its halves: "
        f"{_where(error, file)}; it must take rows singly"
    )


def _where(error: Exception, file: str) -> str:
    """Return the class of an error, and the line of the user's file that met it."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    place = f" in line {lines[-1]} of {os.path.basename(file)}" if lines else ""
    return f"{type(error).__name__}{place}"
