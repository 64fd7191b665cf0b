"""A training job and its rows -> the whole job as it is understood, with all that the data tell."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from configs.errors import InputError, JobError
from configs.fields import Names
from configs.training_data import How
from model_zoo.steps.table import STEPS
from pipelines.training.asked import ask, take_columns
from pipelines.training.columns import choose_features
from pipelines.training.fitting_job import FittingJob
from pipelines.training.label_tasks import find_task
from pipelines.training.labels import Labelled, describe_balance, find_labelled, find_labels
from pipelines.training.leaks import find_leaks
from pipelines.training.picture_folders import CONTENT, KEY, LABEL, describe_step
from pipelines.training.source import Source
from pipelines.training.split import PARTS, Places, split_rows
from pipelines.training.understood import Understood

# Rows of a mini-batch from so many training rows on: some thousand steps an epoch at most.
# In rising order, as the last one that a table reaches is taken.
_BATCHES_OF_LARGE_TABLES = {
    20_000: 128,
    100_000: 512,
    1_000_000: 2048,
}


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
    ask(job, source)
    found = _find_labelled(job, source)
    rows = found.rows
    labelled = found.labelled
    unlabelled = source.rows.num_rows - rows.num_rows
    notes = [*source.notes]
    if unlabelled:
        notes.append(f"{unlabelled:,} rows without a label are left out")
    notes += describe_balance(labelled)
    _refuse_doubles(job, rows)

    job = _settle_labels(job, labelled)
    job = _settle_split(job)
    places = _split(job, found)
    notes += places.notes

    # Features and steps by the training rows alone, as they decide what the model knows.
    numbers = pa.array(places.parts["training"])
    training = rows.take(numbers)
    job = _settle_batches(job, training.num_rows)
    job, told = _settle_features(job, training)
    notes += told

    features = job.data.features or ()
    for name in find_leaks(rows, features, labelled):
        notes.append(
            f"column {name!r} tells the label by itself: leave it out of data.features unless it is "
            "known before the label is"
        )
    return Understood(
        job=job,
        rows=rows,
        labelled=labelled,
        places=places,
        notes=tuple(notes),
        unlabelled=unlabelled,
    )


def list_parts(understood: Understood) -> dict[str, pa.Table]:
    """Return the rows of each part."""
    parts: dict[str, pa.Table] = {}
    for name in PARTS:
        places = understood.places.parts[name]
        numbers = pa.array(places)
        rows = understood.rows.take(numbers)
        parts[name] = rows.combine_chunks()
    return parts


def _name_picture_columns(job: FittingJob, source: Source) -> FittingJob:
    """Return the job with the columns that folders of pictures always have, and a step for them."""
    data = job.data
    names = tuple(source.rows.column_names)
    if data.dataset is not None or names != (KEY, LABEL, CONTENT):
        return job
    named = {
        "format": "files",
        "key": data.key or KEY,
        "label": data.label or (LABEL,),
        "features": data.features or (CONTENT,),
    }
    steps = job.preprocess
    if steps is None:
        takes_grey = job.network.builder in (None, "cnn")
        pictures = source.rows.column(CONTENT)
        step = describe_step(pictures, takes_grey)
        steps = STEPS.validate_python([step])
    settled = data.model_copy(update=named)
    update = {"data": settled, "preprocess": steps}
    return job.model_copy(update=update)


def _settle_labels(job: FittingJob, labelled: Labelled) -> FittingJob:
    data = job.data
    changes = {
        "label": tuple(data.label),
        "labels": labelled.labels,
    }
    settled = data.model_copy(update=changes)
    update = {"task": labelled.task, "data": settled}
    return job.model_copy(update=update)


class _LabelledRows(NamedTuple):
    """Rows that have a label.

    Attributes:
        rows: all columns.
        labelled: what is learned of them.
        part: of each, where files of their own say it.
    """

    rows: pa.Table
    labelled: Labelled
    part: np.ndarray | None


def _find_labelled(job: FittingJob, source: Source) -> _LabelledRows:
    data = job.data
    columns = take_columns(source.rows, data.label)
    is_labelled = find_labelled(columns)
    mask = pa.array(is_labelled)
    labelled_rows = source.rows.filter(mask)
    rows = labelled_rows.combine_chunks()
    part = source.part
    if part is not None:
        part = part[is_labelled]

    labels = take_columns(rows, data.label)
    task = job.task
    if task is None:
        task = find_task(labels).task
    assert task is not None  # noqa: S101 - it was asked for before
    goes_on = job.from_package is not None
    labelled = find_labels(task, labels, data.labels, known_only=goes_on)
    return _LabelledRows(rows, labelled, part)


def _refuse_doubles(job: FittingJob, rows: pa.Table) -> None:
    """Refuse keys of several rows: copies of a row may be in two parts, and scores join to none."""
    name = job.data.key
    key = rows.column(str(name))
    count = len(key)
    missing = key.null_count
    if missing:
        raise InputError(
            f"data.key: {name!r} has no value in {missing:,} rows; name another, or fill them in"
        )
    dtype = key.type
    if pa.types.is_nested(dtype):
        raise JobError(f"data.key: {name!r} is {dtype}; name a column of plain values")
    different = len(key.unique())
    if different < count:
        raise InputError(
            f"data.key: {name!r} names {count:,} rows with {different:,} different values; "
            "a row must be in one part alone: name another key, or leave copies of rows out"
        )


def _settle_split(job: FittingJob) -> FittingJob:
    """Return the job with how its rows are split, unless it says so: by the columns that it names."""
    split = job.split
    data = job.data
    how: How = "random"
    has_files = split.validation_paths or split.test_paths
    if has_files or split.column is not None:
        how = "fixed"
    elif data.group is not None:
        how = "group"
    elif data.time is not None:
        how = "time"
    elif job.task == "classification":
        how = "stratified"
    # What the job says comes first.
    how = split.by or how
    needed = {"group": data.group, "time": data.time}
    named = needed.get(how, "")
    if named is None:
        raise JobError(f"data.{how} is needed: split.by is {how}, and nothing names the column")
    settled = split.model_copy(update={"by": how})
    return job.model_copy(update={"split": settled})


def _split(job: FittingJob, found: _LabelledRows) -> Places:
    """Return which rows are in which part.

    Args:
        job: whose split is settled.
        found: the rows, and what is learned of them.
    """
    split = job.split
    labelled = found.labelled
    by_column = {
        "time": job.data.time,
        "group": job.data.group,
        "fixed": split.column,
    }
    seed = split.seed
    if seed is None:
        seed = job.training.seed
    return split_rows(
        split=split,
        rows=found.rows,
        targets=labelled.targets,
        labels=labelled.labels,
        task=labelled.task,
        seed=seed,
        column=by_column.get(str(split.by)),
        part=found.part,
    )


def _settle_batches(job: FittingJob, rows: int) -> FittingJob:
    """Return the job with mini-batches that suit the training rows, unless it says their size.

    A small table is learned best in many small steps, and a large one would take hours in them.
    """
    training = job.training
    if "batch_rows" in training.model_fields_set:
        return job
    batch_rows = training.batch_rows
    for least_rows, larger in _BATCHES_OF_LARGE_TABLES.items():
        if rows >= least_rows:
            batch_rows = larger
    settled = training.model_copy(update={"batch_rows": batch_rows})
    return job.model_copy(update={"training": settled})


def _settle_features(job: FittingJob, training: pa.Table) -> tuple[FittingJob, Names]:
    """Return the job with its features, and with steps for them where it has none."""
    data = job.data
    candidates = _list_candidates(job, training)
    if job.preprocess is not None:
        # Whoever writes steps says what becomes of each column.
        named = data.model_copy(update={"features": candidates})
        complete = job.model_copy(update={"data": named})
        return complete, ()

    filled = list(data.fill)
    counted = list(data.numbers)
    found = choose_features(training, candidates, filled, counted)
    problems = "; ".join(found.notes)
    if not found.names:
        raise JobError(f"data.features: there is no column to learn from: {problems}")
    # A column that the job names is not left out with a note alone.
    if data.features is not None and problems:
        raise JobError(f"data.features: {problems}")
    changes = {
        "features": found.names,
        # What the job says is kept.
        "missing": {**found.missing, **data.missing},
        "numbers": {**found.numbers, **data.numbers},
    }
    settled = data.model_copy(update=changes)
    update = {"data": settled, "preprocess": found.steps}
    complete = job.model_copy(update=update)
    return complete, found.notes


def _list_candidates(job: FittingJob, training: pa.Table) -> Names:
    """Return the columns that the job names as features, else all that are for nothing else."""
    data = job.data
    if data.features:
        return tuple(data.features)
    hidden = {
        data.key,
        *data.label,
        data.group,
        data.time,
        job.split.column,
    }
    candidates = [name for name in training.column_names if name not in hidden]
    return tuple(candidates)
