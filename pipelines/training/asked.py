"""What only a person can say, and a training job leaves out: asked for by name, all of it at once."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import InputError, JobError
from configs.missing import list_exceptions
from configs.suggest import nearest
from pipelines.training.fitting_job import FittingJob
from pipelines.training.label_tasks import find_task, quote_names
from pipelines.training.labels import find_labelled
from pipelines.training.source import Source

_SHOWN_COLUMNS = 20


def ask(job: FittingJob, source: Source) -> None:
    """Refuse names that are no columns, and ask for those that are needed, all at once.

    Args:
        job: as it was written.
        source: its rows.

    Raises:
        JobError: what is no column, or is needed; all of it.
        InputError: no row has a label.
    """
    data = job.data
    problems = list(_list_strangers(job, source))
    if not data.label:
        present = source.rows.column_names
        shown = ", ".join(present[:_SHOWN_COLUMNS])
        problems.append(
            f"data.label is needed (--label): the column that is learned, one of {shown}"
        )
    if data.key is None:
        keys = _describe_keys(source)
        problems.append(f"data.key is needed (--key): the column that names a row{keys}")
    # Which task it is only labels tell that are there.
    if not problems:
        problems += _ask_for_task(job, source)
    if problems:
        raise JobError("; ".join(problems))


def take_columns(
    rows: pa.Table,
    names: Sequence[str],
) -> dict[str, pa.Array]:
    """Return columns by name, each in one chunk.

    Args:
        rows: all columns.
        names: of those that are taken.
    """
    columns = {}
    for name in names:
        column = rows.column(name)
        columns[name] = column.combine_chunks()
    return columns


def _list_strangers(job: FittingJob, source: Source) -> Iterator[str]:
    """Yield what the job names and the rows do not have, in words."""
    data = job.data
    named: dict[str, Iterable[str | None]] = {
        "data.key": [data.key],
        "data.label": data.label,
        "data.features": data.features or (),
        "data.group": [data.group],
        "data.time": [data.time],
        "data.missing": list_exceptions(data.missing),
        "data.fill": data.fill,
        "data.numbers": data.numbers,
        "data.lengths": data.lengths,
        "data.cut": data.cut,
        "split.column": [job.split.column],
    }
    present = source.rows.column_names
    for place, names in named.items():
        for name in names:
            if name is None or name in present:
                continue
            hint = nearest(name, present)
            yield f"{place}: {source.name} has no column {name!r}{hint}"


def _describe_keys(source: Source) -> str:
    """Return the columns that may be the key, in words: whole numbers or texts, all different."""
    rows = source.rows
    found = [name for name in rows.column_names if _may_be_key(rows.column(name))]
    if not found:
        return "; none of whole numbers or texts has a different value in each row"
    listed = ", ".join(found[:_SHOWN_COLUMNS])
    return f"; {listed} has a different value in each row"


def _may_be_key(column: pa.ChunkedArray) -> bool:
    types = pa.types
    dtype = column.type
    is_text = types.is_string(dtype) or types.is_large_string(dtype)
    # Fractions that happen to differ name no row.
    if not is_text and not types.is_integer(dtype):
        return False
    if column.null_count:
        return False
    different = pc.unique(column)
    return len(different) == len(column)


def _ask_for_task(job: FittingJob, source: Source) -> list[str]:
    """Return what the job must say of its task, where the types of the labels do not show it.

    Raises:
        InputError: no row has a label.
    """
    columns = take_columns(source.rows, job.data.label)
    is_labelled = find_labelled(columns)
    if not is_labelled.any():
        names = quote_names(columns)
        raise InputError(
            f"data.label: no row has a value in {names}; there is nothing to learn from"
        )
    if job.task is not None:
        return []
    mask = pa.array(is_labelled)
    labels = {name: column.filter(mask) for name, column in columns.items()}
    task, question = find_task(labels)
    if task is not None:
        return []
    return [question]
