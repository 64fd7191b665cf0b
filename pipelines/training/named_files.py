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
from pipelines.planning.jobs import FittingJob
from pipelines.training.source import Source

# Training takes all rows, and holds them in memory.
_ALL = 2**62


class Loaded(NamedTuple):
    """A job without its `load_file` steps, and its rows with what these read."""

    job: FittingJob
    source: Source


def list_loading_steps(job: FittingJob) -> tuple[LoadFile, ...]:
    """Return the steps of a job that read files."""
    steps = job.preprocess or ()
    return tuple(step for step in steps if isinstance(step, LoadFile))


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
        if step.column not in rows.column_names:
            hint = nearest(step.column, rows.column_names)
            raise JobError(f"load_file: {source.name} has no column {step.column!r}{hint}")
        if step.into in rows.column_names:
            raise JobError(f"load_file: {source.name} has a column {step.into!r} already")
        contents = read_named(step, rows, problems, _ALL, _ALL)
        column = pa.array(list(contents), type=pa.binary())
        if column.null_count == len(column):
            reason = f", the first: {problems[0]}" if problems else ""
            raise InputError(f"load_file: no row has a file that can be read{reason}")
        rows = rows.append_column(step.into, column)

    # The model sees what the files hold, and not where they lie.
    named = {step.column for step in steps}
    hidden = named.difference((job.data.key, *job.data.label))
    rows = rows.drop_columns(sorted(hidden))
    notes = source.notes
    if problems:
        notes += (f"{len(problems):,} files cannot be read, the first: {problems[0]}",)
    # No other steps: those are chosen by the columns' types.
    rest = tuple(step for step in job.preprocess or () if step not in steps)
    without = job.model_copy(update={"preprocess": rest or None})
    return Loaded(without, replace(source, rows=rows, notes=notes))
