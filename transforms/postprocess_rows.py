"""From raw network outputs to the columns that are written, for the rows of one batch.

Key and pass-through columns keep their exact Arrow types; score columns follow (`score_columns.py`).

Apart from the transform: what a run will write is planned by taking no rows through this, without Beam.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, RecordBatch, Schema
import pyarrow.compute as pc
from pyarrow.types import is_floating

from configs.errors import JobError, RejectedRows, RowError
from model_zoo.halving import find_rejected
from transforms.batches import Arrays
from transforms.record_batches import filter_rows
from transforms.score_columns import score_columns
from transforms.scores.tokens import Places
from transforms.where import where_columns, where_mask
from transforms.written_columns import WrittenColumns

# By name.
Columns: TypeAlias = Mapping[str, Array]


def postprocess_rows(
    rows: RecordBatch,
    outputs: Arrays,
    wanted: WrittenColumns,
    places: Places | None = None,
    sources: Columns | None = None,
) -> RecordBatch:
    """Return the wanted columns of the rows that the filter leaves in.

    Args:
        rows, outputs, wanted, places, sources: as for `make_rows`.

    Raises:
        RejectedRows, JobError: as `make_rows`.
    """
    made = make_rows(rows, outputs, wanted, places, sources)
    if made.mask is None:
        return made.rows
    return filter_rows(made.rows, made.mask)


class MadeRows(NamedTuple):
    """Rows as they are written, and which of them a filter leaves in: bool (rows,), None for all."""

    rows: RecordBatch
    mask: np.ndarray | None


def make_rows(
    rows: RecordBatch,
    outputs: Arrays,
    wanted: WrittenColumns,
    places: Places | None = None,
    sources: Columns | None = None,
) -> MadeRows:
    """Return the wanted columns of all rows, and which of them the filter leaves in.

    Args:
        rows: input rows, in the order of `outputs`.
        outputs: raw network outputs (rows, ...), by name.
        wanted: what is written of them.
        places: of the rows' tokens, where they have any.
        sources: columns that tell where each row came from, where they are asked for.

    Raises:
        RejectedRows: rows whose score does not fit the declared dtype.
        JobError: names or types that do not fit together.
    """
    carried = wanted.carried
    how = wanted.scores
    scores = _make_scores(outputs, wanted, places)
    kept = [how.rename.get(name, name) for name in wanted.keep]
    origin = sources or {}
    _refuse_doubles([*carried, *kept, *how.constants, *origin])

    inputs = {name: rows.column(name) for name in carried}
    kept_scores = {name: scores[name] for name in kept}
    constants = _repeat_constants(how.constants, rows.num_rows)
    # In the order in which they are written.
    columns = {**inputs, **kept_scores, **constants, **origin}
    schema = _make_schema(columns, rows.schema, carried)
    arrays = list(columns.values())
    result = RecordBatch.from_arrays(arrays, schema=schema)
    if wanted.where is None:
        return MadeRows(result, None)
    # A filter may read score columns that are not written.
    readable = {**inputs, **scores}
    mask = where_mask(wanted.where, readable, rows.num_rows)
    return MadeRows(result, mask)


def _repeat_constants(
    constants: Mapping[str, str],
    rows: int,
) -> dict[str, Array]:
    """Return a column of one value for each constant."""
    columns = {}
    for name, value in constants.items():
        scalar = pa.scalar(value)
        columns[name] = pa.repeat(scalar, rows)
    return columns


def _make_schema(
    columns: Mapping[str, Array],
    source: Schema,
    carried: Sequence[str],
) -> Schema:
    """Return the schema of the columns, in which carried ones keep their fields.

    With their metadata, and with whether they may hold nulls.
    """
    fields = []
    # A set: there may be thousands of columns.
    carried_names = set(carried)
    for name, column in columns.items():
        field = pa.field(name, column.type)
        if name in carried_names:
            field = source.field(name)
        fields.append(field)
    return pa.schema(fields)


def _make_scores(
    outputs: Arrays,
    wanted: WrittenColumns,
    places: Places | None,
) -> Mapping[str, Array]:
    """Return the score columns that are kept or filtered by, by their new names, in their types."""
    how = wanted.scores
    filtered_by = _list_filtered_by(wanted)
    # Each once, kept ones first.
    named = [*wanted.keep, *filtered_by]
    different = list(dict.fromkeys(named))
    scores = {}
    columns = score_columns(outputs, how, different, places)
    for old_name, column in columns.items():
        name = how.rename.get(old_name, old_name)
        dtype = how.dtypes.get(name)
        scores[name] = _to_type(name, column, dtype)
    return scores


def _list_filtered_by(wanted: WrittenColumns) -> Sequence[str]:
    """Return the old names of the score columns that the filter reads."""
    if wanted.where is None:
        return []
    # A filter has the new names, as a reader of the output has.
    renamed = wanted.scores.rename
    old_names = {new: old for old, new in renamed.items()}
    named = where_columns(wanted.where)
    new_names = [name for name in named if name not in wanted.carried]
    return [old_names.get(name, name) for name in new_names]


def _to_type(
    name: str,
    column: Array,
    dtype: DataType | None,
) -> Array:
    """Return a score column in its declared type; None leaves it as it is.

    Raises:
        RejectedRows: rows whose score does not fit.
        JobError: no row's does, or the types have nothing in common.
    """
    if dtype is None or column.type == dtype:
        return column
    try:
        return _cast(column, dtype)
    # There is no way from one type to the other, whatever the values are.
    except pa.ArrowNotImplementedError as error:
        raise JobError(
            f"postprocess.dtypes: {name} of type {column.type} cannot become {dtype}"
        ) from error
    except pa.ArrowInvalid as error:
        raise _reject_unfit(name, column, dtype) from error


def _reject_unfit(
    name: str,
    column: Array,
    dtype: DataType,
) -> RejectedRows | JobError:
    """Return the rows whose score does not fit, or the refusal of a type that fits none."""

    def cast_some(positions: np.ndarray) -> Array:
        taken = pa.array(positions)
        some = column.take(taken)
        return _cast(some, dtype)

    try:
        rejected = find_rejected(len(column), cast_some)
    # It gives up where nothing at all can be cast.
    except pa.ArrowInvalid:
        return JobError(
            f"postprocess.dtypes: {name} of type {column.type} does not fit {dtype} in any row"
        )
    # One for all: its message holds no value.
    reason = RowError(f"score {name} does not fit {dtype}")
    if rejected is None:
        return RejectedRows({})
    rows = rejected.reasons
    return RejectedRows(dict.fromkeys(rows, reason))


def _cast(column: Array, dtype: DataType) -> Array:
    """Cast a column; a finite number that becomes infinite is an error, as it is for integers."""
    cast = column.cast(dtype)
    if _count_infinities(cast) > _count_infinities(column):
        raise pa.ArrowInvalid(f"a finite number that does not fit {dtype}")
    return cast


def _count_infinities(column: Array) -> int:
    if not is_floating(column.type):
        return 0
    is_infinite = pc.is_inf(column)
    count = pc.sum(is_infinite).as_py()
    # The sum of no values is null.
    return count or 0


def _refuse_doubles(names: Sequence[str]) -> None:
    # Counted once: there may be thousands.
    for name, count in Counter(names).items():
        if count > 1:
            raise JobError(
                f"two output columns are called {name!r}; name a carried column once, "
                "and rename a score column with postprocess.rename"
            )
