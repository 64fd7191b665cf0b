"""Rows that name files, as pictures on a disk: what the files hold becomes a column like any other.

The package knows nothing of it: its job of every night reads the files again, by a `load_file` step.
"""

from dataclasses import replace
from typing import NamedTuple

import pyarrow as pa

from configs.errors import InputError, JobError
from configs.suggest import nearest
from model_zoo.steps.load_file import LoadFile
from pipelines.packing.sample.named_files import read_named
from pipelines.training.fitting_job import FittingJob
from pipelines.training.loading_steps import list_loading_steps
from pipelines.training.source import Source

# Training takes all rows, and holds them in memory.
_ALL = 2**62


class Loaded(NamedTuple):
    """A job without its `load_file` steps, and its rows with what these read."""

    job: FittingJob
    source: Source


def load_named_files(job: FittingJob, source: Source) -> Loaded:
    """Return the rows with the contents of the files that they name.

    A row whose file cannot be read has none, and is left out as one with a missing value is.

    Args:
        job: the job.
        source: its rows.

    Raises:
        JobError: a step that names no column of paths.
        InputError: none of the files can be read, or their root is not there.
    """
    steps = list_loading_steps(job)
    if not steps:
        return Loaded(job, source)

    rows = source.rows
    problems: list[str] = []
    for step in steps:
        _refuse_columns(step, rows, source.name)
        contents = _read_contents(step, rows, problems)
        rows = rows.append_column(step.into, contents)

    # The model sees what the files hold, and not where they lie; what names rows stays.
    named = {step.column for step in steps}
    hidden = named.difference(_list_kept(job))
    rows = rows.drop_columns(sorted(hidden))
    notes = list(source.notes)
    if problems:
        count = len(problems)
        first = problems[0]
        notes.append(f"{count:,} files cannot be read, the first: {first}")
    loaded = replace(
        source,
        rows=rows,
        notes=tuple(notes),
    )

    rest = tuple(step for step in job.preprocess or () if step not in steps)
    # Where the job has no other steps, they are chosen by the columns' types.
    without = job.model_copy(update={"preprocess": rest or None})
    return Loaded(without, loaded)


def _refuse_columns(step: LoadFile, rows: pa.Table, name: str) -> None:
    """Refuse a step whose column is not there, or whose new one is."""
    present = rows.column_names
    column = step.column
    if column not in present:
        hint = nearest(column, present)
        raise JobError(f"load_file: {name} has no column {column!r}{hint}")
    new = step.into
    if new in present:
        raise JobError(f"load_file: {name} has a column {new!r} already; say another name in into")


def _read_contents(step: LoadFile, rows: pa.Table, problems: list[str]) -> pa.Array:
    """Return the content of each row's file; null where there is none to be read."""
    contents = read_named(
        step,
        rows,
        problems,
        most_files=_ALL,
        most_bytes=_ALL,
    )
    column = pa.array(contents, type=pa.binary())
    if column.null_count == len(column):
        reason = ""
        if problems:
            first = problems[0]
            reason = f", the first: {first}"
        raise InputError(
            f"load_file: no row has a file that can be read{reason}; paths in {step.column!r} are "
            f"below root, {step.root}"
        )
    return column


def _list_kept(job: FittingJob) -> set[str | None]:
    """Return the columns that the job needs by their own values, whatever else is made of them."""
    data = job.data
    return {
        data.key,
        *data.label,
        data.group,
        data.time,
        job.split.column,
    }
