"""A table with a log as input: its version is chosen once, and its data files are the shards."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from configs.errors import InputError
from configs.job import AnyJob, Source
from model_zoo.package.card import ModelCard
from pipelines.planning.columns import list_columns, plan_columns
from pipelines.planning.filtering import list_filter_columns
from pipelines.planning.planned_table import PlannedTable
from pipelines.planning.shards import refuse_second_names, refuse_unwritable_name
from pipelines.planning.table_pruning import prune_table
from storage import files, inputs
from storage.input_file import InputFile
from storage.input_version import with_reading
from transforms.lakes.choice import Choice
from transforms.lakes.snapshot import DataFile, Snapshot
from transforms.lakes.table import LAKES, read_snapshot

_THREADS = 8


def list_table(
    job: AnyJob,
    card: ModelCard,
    version: int | None = None,
) -> PlannedTable | None:
    """Return the table that a job names, at the version that it chooses; None where it names files.

    Args:
        job: the job.
        card: its model's.
        version: the one that an unfinished run began with, where the job chooses none.

    Raises:
        InputError: it cannot be read, or lacks a data file.
        JobError: it has no such version.
    """
    source = job.source
    if source.format not in LAKES:
        return None
    (path,) = source.paths
    filtered_by = list_filter_columns(source.where, source.format)
    choice = _make_choice(source, version, filtered_by)
    url = path
    if source.catalog is None:
        url = files.to_absolute(path).rstrip("/")
    snapshot = read_snapshot(source.format, url, choice)
    if not snapshot.files and not snapshot.pruned:
        raise InputError(
            f"{snapshot.url}: has no data file in version {snapshot.version}, so there is nothing "
            "to score; choose another version"
        )
    if source.where is not None:
        wanted = plan_columns(job, card, needs_types=False, filtered_by=filtered_by)
        snapshot = prune_table(snapshot, source.where, wanted)
    names = {*list_columns(job, card), *filtered_by}
    columns = [column for column in snapshot.columns if column.name in names]
    look_at = partial(_look_at, snapshot)
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(look_at, snapshot.files))
    taken = []
    for file, data_file in zip(found, snapshot.files, strict=True):
        version_read = with_reading(file.version, data_file.digest(columns))
        taken.append(replace(file, version=version_read))
    taken.sort()
    refuse_second_names(taken)
    return PlannedTable(snapshot, tuple(taken))


def _make_choice(
    source: Source[str],
    version: int | None,
    filtered_by: Iterable[str],
) -> Choice:
    """Return what a job chooses of a table, at the version that an unfinished run began with."""
    chosen = source.snapshot if source.format == "iceberg" else source.version
    outside = [files.to_absolute(folder) for folder in source.outside]
    return Choice(
        version=chosen if version is None else version,
        ref=source.ref,
        moment=source.timestamp,
        catalog=source.catalog,
        outside=tuple(outside),
        where=source.where,
        filtered_by=tuple(filtered_by),
    )


def _look_at(snapshot: Snapshot, data_file: DataFile) -> InputFile:
    url = data_file.url
    refuse_unwritable_name(url)
    try:
        file = inputs.describe_url(url)
    except FileNotFoundError as error:
        raise InputError(
            f"{url}: is gone, though version {snapshot.version} of {snapshot.url} rests on it: "
            "whoever vacuumed the table removed it; read a newer version, or restore the file"
        ) from error
    except OSError as error:
        raise InputError(
            f"{url}: cannot be looked at: {error.strerror}; check credentials and permissions"
        ) from error
    if file.bytes == 0:
        raise InputError(f"{url}: has 0 bytes, so it is no Parquet file; restore it")
    return file
