"""From a Job to a Plan: everything decided and checked before the first worker starts.

Nothing of the run is written here. (A package in an object store is copied to this machine's cache
when it is read.)
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

import pyarrow as pa
from pyarrow import Schema

from configs.errors import JobError, ModelError
from model_zoo.load_limits import load_within_limits
from model_zoo.package.card import ModelCard
from model_zoo.package.package import Package, read_package
from model_zoo.steps.table import AnyStep
from pipelines.cli.command_line import workers_kept_quiet
from pipelines.planning.batch_rows import bytes_per_row
from pipelines.planning.broken_rules import find_broken_rules
from pipelines.planning.columns import list_columns, make_input_format
from pipelines.planning.cut_shards import cut_shards
from pipelines.planning.filled import list_job_fills
from pipelines.planning.filtering import with_filter
from pipelines.planning.folders import list_folders
from pipelines.planning.identity import make_run_id
from pipelines.planning.inference_settings import InferenceSettings
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.kept_dictionaries import keep_dictionaries
from pipelines.planning.listed_files import ListedFiles
from pipelines.planning.loading import list_members, list_named
from pipelines.planning.loads import Loads
from pipelines.planning.model_checks import check_preprocessing, check_users_code
from pipelines.planning.output_folder import find_output_apart, to_absolute
from pipelines.planning.output_plan import OutputPlan
from pipelines.planning.plan import Plan
from pipelines.planning.plan_checks import PlannedChecks, plan_checks
from pipelines.planning.plan_inference import plan_inference
from pipelines.planning.plan_output import plan_output
from pipelines.planning.plan_reading import plan_reading
from pipelines.planning.plan_summaries import hash_users_summaries, plan_summaries
from pipelines.planning.planned_table import PlannedTable
from pipelines.planning.row_work import estimate_row_work
from pipelines.planning.served import Served
from pipelines.planning.shard_inspection import read_shards
from pipelines.planning.shards import (
    Listed,
    list_shards,
)
from pipelines.planning.small_shards import put_together
from pipelines.planning.tables import list_table
from pipelines.versions.names import resolve
from storage.input_file import InputFile
from storage.packed import pack_many
from storage.run_folder import RunFolder
from transforms.batches import WorkUnit
from transforms.broken_shard import BrokenShard
from transforms.formats.file_list import FILES_OF_A_UNIT
from transforms.formats.files import FilesFormat
from transforms.formats.format import Format, Shard
from transforms.formats.loading import LoadingFormat
from transforms.formats.table import MAY_BE_EMPTY
from transforms.formats.table_files import TableFormat
from transforms.lakes.stored_files import TableFiles
from transforms.lakes.table import LAKES

# What travels together: large enough that Beam's cost per element does not count, small enough that
# every thread of a worker can have some.
_BATCH_BYTES = 64 << 20
# Of a table less, whose columns lie in memory at least twice meanwhile: each page of it has to be
# cleared first, which takes longer than the calls that are saved.
_TABLE_BATCH_BYTES = 24 << 20
# Of rows of few bytes: half as many take more calls, and look up a column's dictionary twice for a row group
# of so many; of twice as many the columns leave a core's cache before they are used.
_MOST_ROWS_PER_BATCH = 1 << 17


def make_plan(
    job: ScoringJob,
    planned_at: datetime | None = None,
    version: int | None = None,
) -> Plan:
    """Read the model package, look into the inputs, check that all fits together, name the run.

    Args:
        job: the job.
        planned_at: see `take_plan_time`; None for now, where nothing is published.
        version: of a table, the one that an unfinished run began with.

    Raises:
        ModelError, InputError, JobError: what does not fit.
    """
    # Before the inputs are listed: what is put there later must not count as seen.
    planned_at = planned_at or datetime.now(UTC)
    output_url = find_output_apart(job)
    package, served = _open_model(job)
    card = package.card
    table = list_table(job, card, version)
    listed, ignored = _list_source(job, table)
    # Before anything is read.
    list_job_fills(card.columns, job.preprocess.steps)
    summaries = plan_summaries(job, package)
    steps = (*job.preprocess.steps, *package.steps)
    row_work = _estimate_row_work(job, card, steps)
    found = _look_into(job, card, listed, row_work, table)
    output_plan = plan_output(job, card, package.digest, found.schema, steps)
    inference = plan_inference(job, package, served)
    listed_files, units = _list_units(found, job, card, inference, row_work)
    run_id = _name_run(job, package, served, inference, found, output_plan, units, table)
    return Plan(
        job=job,
        package=package,
        run=RunFolder(output_url, run_id),
        shards=pack_many(found.shards),
        ignored=tuple(ignored),
        units=pack_many(units),
        schema=keep_dictionaries(job, found.schema, found.reader, found.shards, steps),
        format=listed_files.format,
        files=listed_files,
        inference=inference,
        rows_per_batch=job.source.rows_per_batch or _count_rows_per_batch(card, inference),
        steps=steps,
        output_plan=output_plan,
        planned_at=planned_at,
        pruned=found.pruned,
        table=table,
        summaries=(*summaries, *found.checks.counted),
        broken=found.broken,
        checks=found.checks.rejecting,
        served=served,
    )


def _list_units(
    found: "_Found",
    job: ScoringJob,
    card: ModelCard,
    inference: InferenceSettings,
    row_work: int,
) -> tuple[ListedFiles, Sequence[WorkUnit]]:
    """Return the files that rows name, and the units of work."""
    pieces = cut_shards(
        found.shards,
        found.reader,
        card,
        rows_per_file=job.sink.rows_per_file,
        batch_rows=inference.settings.batch_rows,
        row_work=row_work,
        rows_name_files=isinstance(found.reader, LoadingFormat),
    )
    listed = _list_files(found, pieces)
    units = _join_small_shards(listed, job.sink.rows_per_file, row_work)
    # The pieces are in the units.
    return replace(listed, units=()), units


def _join_small_shards(
    listed: ListedFiles,
    rows_per_file: int,
    row_work: int,
) -> Sequence[WorkUnit]:
    # Last of all, as files are listed by the numbers of pieces.
    most_rows = rows_per_file
    # A small shard may name many large files, of which a unit opens so many.
    if isinstance(listed.format, FilesFormat | LoadingFormat):
        most_rows = min(rows_per_file, FILES_OF_A_UNIT)
    return put_together(listed.units, most_rows, row_work)


def _name_run(
    job: ScoringJob,
    package: Package,
    served: Served | None,
    inference: InferenceSettings,
    found: "_Found",
    output_plan: OutputPlan,
    units: Sequence[WorkUnit],
    table: PlannedTable | None,
) -> str:
    settings = job.model_dump(mode="json")
    return make_run_id(
        settings,
        package.digest,
        computing=inference.settings.as_dict(),
        shards=found.shards,
        nested=output_plan.nested,
        units=units,
        filled=list_job_fills(package.card.columns, job.preprocess.steps),
        table=None if table is None else table.describe(),
        broken=found.broken,
        summaries=hash_users_summaries(job),
        served=None if served is None else served.describe(),
    )


class _Model(NamedTuple):
    """A package, and the server that computes it where this program does not."""

    package: Package
    served: Served | None


def _open_model(job: ScoringJob) -> _Model:
    named = job.model.package
    if named is None:
        return _open_direct(job)
    package = _read_package(job, named)
    remote = package.card.remote
    if remote is None:
        _refuse_address(job)
        return _Model(package, None)
    # Only here: other jobs' programs start without it.
    from pipelines.planning.plan_server import find_server

    return _Model(package, find_server(job, package.card, remote))


def _open_direct(job: ScoringJob) -> _Model:
    # As above.
    from pipelines.planning.direct_model import make_direct
    from pipelines.planning.plan_server import find_direct_server

    served, described = find_direct_server(job)
    return _Model(make_direct(job, served, described), served)


def _refuse_address(job: ScoringJob) -> None:
    model = job.model
    for name in ("protocol", "url"):
        if getattr(model, name) is not None:
            raise JobError(
                f"model.{name}: {model.package} holds its model, and no server computes it; "
                "leave it out"
            )


def _read_package(job: ScoringJob, named: str) -> Package:
    # Once, at launch: workers get the folder and the digest that the name leads to now.
    resolved = resolve(named)
    url = to_absolute(resolved.url, "model.package", ModelError)
    package = read_package(url, modules=job.model.modules)
    if resolved.digest not in (None, package.digest):
        raise ModelError(
            f"model.package {named}: {url} is not the package any more that was "
            "promoted; packages never change: pack it as another version, and promote that"
        )
    # Before any of its steps runs.
    check_users_code(job, package)
    # Libraries in Rust write to stderr by themselves when they panic.
    with workers_kept_quiet():
        check = partial(check_preprocessing, package, job.model.timeout_seconds)
        load_within_limits(check, package.url, package.card)
    return package


def _list_source(job: ScoringJob, table: PlannedTable | None) -> Listed:
    if table is not None:
        return Listed(table.files, [])
    source = job.source
    if source.format == "files":
        return list_folders(source.paths, source.recursive, source.files.model_dump())
    # Else it is broken, and told with all others that are.
    may_be_empty = source.format in MAY_BE_EMPTY or find_broken_rules(job).goes_on
    return list_shards(source.paths, source.recursive, may_be_empty)


class _Found(NamedTuple):
    """What looking into the input has told.

    Attributes:
        reader: how its rows are read: those that pass, and the files that they name.
        schema: the columns that are read.
        pruned: how many files were not opened.
        broken: files that are left out.
        checks: of the rows, which fit their columns' types.
    """

    shards: Sequence[Shard]
    reader: Format
    schema: Schema
    pruned: int
    broken: tuple[BrokenShard, ...]
    checks: PlannedChecks


def _look_into(
    job: ScoringJob,
    card: ModelCard,
    listed: Sequence[InputFile],
    row_work: int,
    table: PlannedTable | None,
) -> _Found:
    """Read every header: what does not fit shall not be found out by a worker, at night."""
    files_format = _choose_format(job, row_work, table)
    reading = plan_reading(job, card, listed, files_format, has_log=table is not None)
    unfiltered = _with_loads(reading.format, reading.loads)
    rules = find_broken_rules(job)
    shards, found, broken = read_shards(reading.files, unfiltered, reading.wanted, rules)
    # First which rows, and then the files that they name.
    filtered = with_filter(reading.format, job.source.where, found)
    reader = _with_loads(filtered, reading.loads)
    schema = _order_columns(found, list_columns(job, card))
    # Of a table's files those that its log tells enough of are left out already.
    pruned = reading.pruned if table is None else table.snapshot.pruned
    checks = plan_checks(job, card, schema)
    return _Found(shards, reader, schema, pruned, broken, checks)


def _choose_format(
    job: ScoringJob,
    row_work: int,
    table: PlannedTable | None,
) -> Format:
    """Return how the files are read: of a table, as its log says."""
    stored_format = make_input_format(job.source, row_work)
    if table is None:
        return stored_format
    snapshot = table.snapshot
    known = {file.url: file for file in snapshot.files}
    return TableFormat(stored_format, snapshot.columns, TableFiles(known=known))


def _with_loads(format: Format, loads: Loads) -> Format:
    """Return the format that also reads the files that rows name, where they do."""
    if not loads:
        return format
    return LoadingFormat(format, loads)


def _list_files(found: _Found, pieces: Sequence[WorkUnit]) -> ListedFiles:
    """Look at every file that a row names, or is."""
    reader = found.reader
    if isinstance(reader, FilesFormat):
        listed = list_members(pieces, found.shards, reader.content)
    elif isinstance(reader, LoadingFormat):
        listed = list_named(pieces, reader.loads, reader.inner)
    else:
        return ListedFiles(reader, pieces)
    return ListedFiles(
        format=replace(reader, listing=listed.listing),
        units=listed.units,
        content=listed.listing.content,
        count=listed.count,
        size_bytes=listed.size_bytes,
    )


def _estimate_row_work(
    job: ScoringJob,
    card: ModelCard,
    steps: Sequence[AnyStep],
) -> int:
    # What files of a folder are a unit has always been told by their number and size alone, and is a
    # part of the run's id; a CSV file is cut by its bytes.
    if job.source.format not in ("parquet", *LAKES):
        return 0
    return estimate_row_work(card, steps)


def _order_columns(found: Schema, names: Sequence[str]) -> Schema:
    fields = [found.field(name) for name in names]
    return pa.schema(fields)


def _count_rows_per_batch(card: ModelCard, inference: InferenceSettings) -> int:
    """Return rows that make about 64 MiB of network input, 24 of a table, in whole mini-batches."""
    batch_rows = inference.settings.batch_rows
    # Tokens are no table: texts are sorted by length among those that travel together.
    shapes = [tensor.shape for tensor in card.inputs.values()]
    is_flat = all(len(shape) <= 1 for shape in shapes)
    is_table = is_flat and card.mask is None
    most_bytes = _TABLE_BATCH_BYTES if is_table else _BATCH_BYTES
    fitting = most_bytes // bytes_per_row(card)
    rows = min(_MOST_ROWS_PER_BATCH, fitting)
    # A mini-batch that is filled up with padding costs as much as a full one.
    whole_rows = rows - rows % batch_rows
    return max(batch_rows, whole_rows)
