"""Step `function`: a user's own vectorised function.

The job lists the module that it comes from. When it fails on a batch, the batch is halved until the
rows that it fails on are alone; of its own words only the class of the error and the line of the
user's file are kept, because the text might hold a row's values.
"""

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from pyarrow import Array, RecordBatch, Table
from pydantic import Field, model_validator

from configs.errors import JobError, RejectedRows, crashes_as_errors
from configs.user_code import import_attribute, where_it_failed, why_not
from model_zoo.halving import find_rejected
from model_zoo.steps.columns import Column, Columns, NewColumns, to_arrow
from model_zoo.steps.step import StepModel

# A module's dotted name, and a function of it that is not private.
_NAME = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z]\w*$"


class Function(StepModel):
    """Call a user's function, `module:function`, of a module that the job lists in `preprocess.modules`.

    Modules of Python, of this program and of the libraries that it needs are not a user's own, and
    never called.

    `takes: arrow` is `RecordBatch -> dict[str, np.ndarray]`, arrays (rows, ...) that are added to
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
        module, _, _ = self.function.partition(":")
        return module

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return the columns that the function gives.

        Raises:
            RejectedRows: rows that the function fails on.
            JobError: it cannot be imported, gives what it must not, or fails on every row.
        """
        table = _make_table(columns)
        user_function = find_function(self.function)
        call = _call_pandas
        if self.takes == "arrow":
            call = _call_arrow
        try:
            return call(self.function, user_function, table)
        except (JobError, RejectedRows):
            raise
        # Anything: it is a user's own code that failed.
        except Exception as error:
            attempt = partial(_call_on_rows, call, self.function, user_function, table)
            raise _explain(
                name=self.function,
                error=error,
                rows=rows,
                attempt=attempt,
                file=user_function.__code__.co_filename,
            ) from error


def find_function(name: str) -> Any:
    """Import `module:function`.

    Raises:
        JobError: it cannot be imported, or is not a function that the module itself defines.
    """
    module, _, _ = name.partition(":")
    found = import_attribute(name, "preprocess function")
    # A class, or a function that the module itself imported, is not the user's own.
    is_function = isinstance(found, FunctionType)
    if not is_function or found.__module__ != module:
        raise JobError(
            f"preprocess function {name}: is not a function that {module} defines; "
            "name one that it does"
        )
    return found


def _make_table(columns: Columns) -> RecordBatch:
    """Return all columns of one value a row; what steps before this one stacked is left out."""
    flat = {}
    for name, column in columns.items():
        if _is_flat(column):
            flat[name] = to_arrow(column)
    return RecordBatch.from_pydict(flat)


def _is_flat(column: Column) -> bool:
    # An Arrow array has one value a row.
    if isinstance(column, Array):
        return True
    return column.ndim == 1


def _call_on_rows(
    call: Any,
    name: str,
    user_function: Any,
    table: RecordBatch,
    positions: np.ndarray,
) -> Any:
    rows = pa.array(positions)
    taken = table.take(rows)
    return call(name, user_function, taken)


def _call_arrow(
    name: str,
    user_function: Any,
    table: RecordBatch,
) -> NewColumns:
    with crashes_as_errors():
        arrays = user_function(table)
    if not _is_dict_of_arrays(arrays):
        raise JobError(f"preprocess function {name} must return dict[str, np.ndarray]")
    return _check_rows(name, arrays, table.num_rows)


def _is_dict_of_arrays(returned: Any) -> bool:
    if not isinstance(returned, dict):
        return False
    arrays = returned.values()
    return all(isinstance(array, np.ndarray) for array in arrays)


def _call_pandas(
    name: str,
    user_function: Any,
    table: RecordBatch,
) -> NewColumns:
    # Jobs without such functions need no pandas.
    import pandas as pd

    given = table.to_pandas(types_mapper=pd.ArrowDtype)
    # Before the call: the function may change the frame that it is given.
    index = given.index
    with crashes_as_errors():
        frame = user_function(given)
    if not isinstance(frame, pd.DataFrame):
        raise JobError(f"preprocess function {name} must return a pandas DataFrame")
    # Else nothing would tell how many rows came back.
    if not len(frame.columns):
        raise JobError(
            f"preprocess function {name} returned {len(frame)} rows without a column "
            f"for {len(index)} rows; return the rows with what it adds"
        )
    # Another number of rows is refused by name, with the column, further below.
    has_all_rows = len(frame) == len(index)
    if has_all_rows and not frame.index.equals(index):
        raise JobError(
            f"preprocess function {name} must return the rows in their order; "
            "their index was changed"
        )
    result = Table.from_pandas(frame, preserve_index=False)
    columns = {}
    for column in result.column_names:
        chunked = result.column(column)
        columns[column] = chunked.combine_chunks()
    return _check_rows(name, columns, table.num_rows)


def _check_rows(name: str, arrays: NewColumns, rows: int) -> NewColumns:
    for column, array in arrays.items():
        if len(array) != rows:
            raise JobError(
                f"preprocess function {name} returned {len(array)} values of {column!r} "
                f"for {rows} rows"
            )
    return arrays


def _explain(
    name: str,
    error: Exception,
    rows: int,
    attempt: Callable[[np.ndarray], Any],
    file: str,
) -> RejectedRows | JobError:
    """Return what a function's failure comes to: rows that it fails on, or a job that cannot go on.

    Args:
        name: of the function, for messages.
        error: what it raised on all rows.
        rows: their number.
        attempt: calls it on rows of these positions.
        file: of the user's module.
    """
    try:
        rejected = find_rejected(rows, attempt)
    except JobError:
        raise
    except Exception as last:  # noqa: BLE001 - it fails on whatever it is given
        return JobError(
            f"preprocess function {name} fails on every row that it was tried on: "
            f"{where_it_failed(last, file)}; mend it, or the input"
        )
    if rejected is not None:
        return rejected
    return JobError(
        f"preprocess function {name} failed on {rows} rows but on none of its halves: "
        f"{where_it_failed(error, file)}; it must take rows singly"
    )
