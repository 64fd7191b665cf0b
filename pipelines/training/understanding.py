"""A training job and its rows -> the whole job as it is understood, with all that the data tell.

What cannot be found is asked for by name, all of it at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import InputError, JobError
from configs.missing import list_exceptions
from configs.suggest import nearest
from configs.training_data import How
from model_zoo.steps.table import STEPS
from pipelines.planning.jobs import FittingJob
from pipelines.training.columns import choose_features
from pipelines.training.label_tasks import find_task
from pipelines.training.labels import Labelled, describe_balance, find_labelled, find_labels
from pipelines.training.leaks import find_leaks
from pipelines.training.picture_folders import CONTENT, KEY, LABEL, describe_step
from pipelines.training.source import Source
from pipelines.training.split import PARTS, Places, split_rows

_SHOWN_COLUMNS = 20
# Rows of a mini-batch from so many training rows on: some thousand steps an epoch at most.
_BATCHES_OF_LARGE_TABLES = ((20_000, 128), (100_000, 512), (1_000_000, 2048))


@dataclass(frozen=True)
class Understood:
    """What is trained, and on which rows.

    Attributes:
        job: complete.
        rows: those with a label, all columns.
        labelled: what is learned of each of them.
        places: which of them are in which part.
        notes: what was found and decided, in words.
        unlabelled: how many rows have no label.
    """

    job: FittingJob
    rows: pa.Table
    labelled: Labelled
    places: Places
    notes: tuple[str, ...]
    unlabelled: int


def understand(job: FittingJob, source: Source) -> Understood:
    """Return the job with all that it leaves to the data.

    Args:
        job: as it was written.
        source: its rows.

    Raises:
        JobError: what cannot be found, and what is no column; all of it.
        InputError: rows that nothing can be learned from.
    """
    job = _name_picture_columns(job, source)
    _ask(job, source)
    rows, labelled, is_labelled = _find_labelled(job, source)
    unlabelled = int(np.count_nonzero(~is_labelled))
    notes = [*source.notes]
    if unlabelled:
        notes.append(f"{unlabelled:,} rows without a label are left out")
    notes += describe_balance(labelled)
    _refuse_doubles(job, rows)
    changes = {"label": tuple(job.data.label), "labels": labelled.labels}
    job = job.model_copy(
        update={"task": labelled.task, "data": job.data.model_copy(update=changes)}
    )
    job = _settle_split(job)
    column = {"time": job.data.time, "group": job.data.group, "fixed": job.split.column}
    places = split_rows(
        split=job.split,
        rows=rows,
        targets=labelled.targets,
        labels=labelled.labels,
        task=labelled.task,
        seed=job.training.seed if job.split.seed is None else job.split.seed,
        column=column.get(str(job.split.by)),
        part=None if source.part is None else source.part[is_labelled],
    )
    notes += places.notes
    training = rows.take(pa.array(places.parts["training"]))
    job = _settle_batches(job, training.num_rows)
    job, told = _settle_features(job, training)
    notes += told
    leaks = find_leaks(rows, job.data.features or (), labelled)
    notes += [
        f"column {name!r} tells the label by itself: leave it out of data.features unless it is known "
        "before the label is"
        for name in leaks
    ]
    return Understood(job, rows, labelled, places, tuple(notes), unlabelled)


def _name_picture_columns(job: FittingJob, source: Source) -> FittingJob:
    """Return the job with the columns that folders of pictures always have, and a step for them."""
    if job.data.dataset is not None or tuple(source.rows.column_names) != (KEY, LABEL, CONTENT):
        return job
    named = {
        "format": "files",
        "key": job.data.key or KEY,
        "label": job.data.label or (LABEL,),
        "features": job.data.features or (CONTENT,),
    }
    steps = job.preprocess
    if steps is None:
        takes_grey = job.network.builder in (None, "cnn")
        steps = STEPS.validate_python([describe_step(source.rows.column(CONTENT), takes_grey)])
    data = job.data.model_copy(update=named)
    return job.model_copy(update={"data": data, "preprocess": steps})


def _ask(job: FittingJob, source: Source) -> None:
    """Refuse names that are no columns, and ask for those that are needed, all at once."""
    present = source.rows.column_names
    data = job.data
    problems = []
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
    for place, names in named.items():
        for name in names:
            if name is not None and name not in present:
                hint = nearest(name, present)
                problems.append(f"{place}: {source.name} has no column {name!r}{hint}")
    if not data.label:
        shown = ", ".join(present[:_SHOWN_COLUMNS])
        problems.append(
            f"data.label is needed (--label): the column that is learned, one of {shown}"
        )
    if data.key is None:
        problems.append(
            f"data.key is needed (--key): the column that names a row{_list_keys(source)}"
        )
    if not problems:
        problems += _ask_for_task(job, source)
    if problems:
        raise JobError("; ".join(problems))


def _list_keys(source: Source) -> str:
    """Return the columns that may be the key, in words: whole numbers or texts, all different."""
    found = []
    for name in source.rows.column_names:
        column = source.rows.column(name)
        is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        if not is_text and not pa.types.is_integer(column.type):
            continue
        if not column.null_count and len(pc.unique(column)) == len(column):
            found.append(name)
    if not found:
        return "; none of whole numbers or texts has a different value in each row"
    return f"; {', '.join(found[:_SHOWN_COLUMNS])} has a different value in each row"


def _ask_for_task(job: FittingJob, source: Source) -> list[str]:
    if job.task is not None:
        return []
    task, question = find_task(_take_labels(job, source.rows))
    return [] if task is not None else [question]


def _take_labels(job: FittingJob, rows: pa.Table) -> dict[str, pa.Array]:
    """Return the labels of the rows that have all of them.

    Raises:
        InputError: no row has.
    """
    columns = {name: rows.column(name).combine_chunks() for name in job.data.label}
    is_labelled = find_labelled(columns)
    if not is_labelled.any():
        raise InputError(
            f"data.label: no row has a value in {', '.join(map(repr, columns))}; there is nothing to "
            "learn from"
        )
    mask = pa.array(is_labelled)
    return {name: column.filter(mask) for name, column in columns.items()}


def _find_labelled(job: FittingJob, source: Source) -> tuple[pa.Table, Labelled, np.ndarray]:
    columns = {name: source.rows.column(name).combine_chunks() for name in job.data.label}
    is_labelled = find_labelled(columns)
    rows = source.rows.filter(pa.array(is_labelled)).combine_chunks()
    labels = {name: rows.column(name).combine_chunks() for name in columns}
    task = job.task or find_task(labels).task
    assert task is not None  # noqa: S101 - it was asked for before
    goes_on = job.from_package is not None
    labelled = find_labels(task, labels, job.data.labels, known_only=goes_on)
    return rows, labelled, is_labelled


def _refuse_doubles(job: FittingJob, rows: pa.Table) -> None:
    """Refuse keys of several rows: copies of a row may be in two parts, and scores join to none."""
    key = rows.column(str(job.data.key))
    if key.null_count:
        raise InputError(
            f"data.key: {job.data.key!r} has no value in {key.null_count:,} rows; name another, or "
            "fill them in"
        )
    if pa.types.is_nested(key.type):
        raise JobError(f"data.key: {job.data.key!r} is {key.type}; name a column of plain values")
    different = len(pc.unique(key))
    if different < len(key):
        raise InputError(
            f"data.key: {job.data.key!r} names {len(key):,} rows with {different:,} different values; "
            "a row must be in one part alone: name another key, or leave copies of rows out"
        )


def _settle_split(job: FittingJob) -> FittingJob:
    split, data = job.split, job.data
    how: How = "stratified" if job.task == "classification" else "random"
    if split.column is not None or split.validation_paths or split.test_paths:
        how = "fixed"
    elif data.group is not None:
        how = "group"
    elif data.time is not None:
        how = "time"
    how = split.by or how
    needed = {"group": data.group, "time": data.time}
    if how in needed and needed[how] is None:
        raise JobError(f"data.{how} is needed: split.by is {how}, and nothing names the column")
    return job.model_copy(update={"split": split.model_copy(update={"by": how})})


def _settle_batches(job: FittingJob, rows: int) -> FittingJob:
    """Return the job with mini-batches that suit the training rows, unless it says their size.

    A small table is learned best in many small steps, and a large one would take hours in them.
    """
    if "batch_rows" in job.training.model_fields_set:
        return job
    batch_rows = job.training.batch_rows
    for least_rows, larger in _BATCHES_OF_LARGE_TABLES:
        if rows >= least_rows:
            batch_rows = larger
    training = job.training.model_copy(update={"batch_rows": batch_rows})
    return job.model_copy(update={"training": training})


def _settle_features(job: FittingJob, training: pa.Table) -> tuple[FittingJob, tuple[str, ...]]:
    """Return the job with its features, and with steps for them where it has none."""
    data = job.data
    hidden = {data.key, *data.label, data.group, data.time, job.split.column}
    candidates = data.features or [name for name in training.column_names if name not in hidden]
    if job.preprocess is not None:
        # Whoever writes steps says what becomes of each column.
        named = data.model_copy(update={"features": tuple(candidates)})
        return job.model_copy(update={"data": named}), ()
    found = choose_features(training, candidates, list(data.fill), list(data.numbers))
    _refuse_none(found.names, found.notes)
    if data.features is not None and found.notes:
        raise JobError(f"data.features: {'; '.join(found.notes)}")
    changes = {
        "features": found.names,
        "missing": {**found.missing, **data.missing},
        "numbers": {**found.numbers, **data.numbers},
    }
    update = {"data": data.model_copy(update=changes), "preprocess": found.steps}
    return job.model_copy(update=update), found.notes


def _refuse_none(names: Sequence[str], notes: Sequence[str]) -> None:
    if not names:
        raise JobError(f"data.features: there is no column to learn from: {'; '.join(notes)}")


def list_parts(understood: Understood) -> dict[str, pa.Table]:
    """Return the rows of each part."""
    parts: dict[str, pa.Table] = {}
    for name in PARTS:
        numbers = pa.array(understood.places.parts[name])
        parts[name] = understood.rows.take(numbers).combine_chunks()
    return parts
