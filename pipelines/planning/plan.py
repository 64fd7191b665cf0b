"""From a Job to a Plan: everything decided, frozen and checked before the first worker starts.

Nothing is written here but the stored plan, by `store_plan`.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow as pa

from configs.errors import JobError, ModelError, Refusal
from model_zoo.load_limits import load_within_limits
from model_zoo.package.card import ModelCard
from model_zoo.package.package import Package, read_package
from model_zoo.steps.table import Step
from pipelines.cli.command_line import workers_kept_quiet
from pipelines.planning.columns import list_columns, make_input_format, plan_columns
from pipelines.planning.identity import list_libraries, make_run_id
from pipelines.planning.inference_settings import InferenceSettings, bytes_per_row, plan_inference
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.model_checks import check_functions, check_preprocessing
from pipelines.planning.output_plan import OutputPlan, plan_output
from pipelines.planning.shards import cut_into_units, list_shards, read_shards
from storage import files
from storage.layout import RunFolder
from transforms.batches import WorkUnit
from transforms.formats.format import Format, Shard
from transforms.output.manifest import describe_schema
from transforms.output.plan_file import StoredPlan, encode_plan

# What travels together: large enough that Beam's cost per element does not count, small enough that
# every thread of a worker can have some.
_BATCH_BYTES = 64 << 20
_MOST_ROWS_PER_BATCH = 1 << 16


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        job, package: the job and its model.
        run: where the run's files go.
        shards, ignored: input files, and URLs that were left out.
        units: the units of work.
        schema: the columns that are read.
        format: how the input files are read.
        inference: how the network computes.
        rows_per_batch: rows that travel together, at most.
        steps: the job's own preprocessing, then the model's.
        output: what is written.
    """

    job: ScoringJob
    package: Package
    run: RunFolder
    shards: tuple[Shard, ...]
    ignored: tuple[str, ...]
    units: tuple[WorkUnit, ...]
    schema: pa.Schema
    format: Format
    inference: InferenceSettings
    rows_per_batch: int
    steps: tuple[Step, ...]
    output: OutputPlan

    @property
    def rows(self) -> int | None:
        """Return the number of input rows; None when only reading tells (CSV)."""
        rows = [shard.rows for shard in self.shards if shard.rows is not None]
        return sum(rows) if len(rows) == len(self.shards) else None


def make_plan(job: ScoringJob) -> Plan:
    """Read the model package, look into the inputs, check that all fits together, name the run.

    Raises:
        ModelError, InputError, JobError: what does not fit.
    """
    output_url = _find_output(job)
    package = _read_package(job)
    card = package.card
    reader = make_input_format(job.source)
    listed, ignored = list_shards(job.source.paths)
    wanted = plan_columns(job, card, reader.needs_types)
    # Every footer or header is read here: what does not fit shall not be found out by a worker, at
    # night.
    shards, found = read_shards(listed, reader, wanted)
    schema = pa.schema([found.field(name) for name in list_columns(job, card)])
    output = plan_output(job, card, package.digest, schema)
    inference = plan_inference(job, package)
    run_id = make_run_id(job, package.digest, inference.settings.as_dict(), shards)
    return Plan(
        job=job,
        package=package,
        run=RunFolder(output_url, run_id),
        shards=tuple(shards),
        ignored=tuple(ignored),
        units=cut_into_units(shards, reader, job.sink.rows_per_file),
        schema=schema,
        format=reader,
        inference=inference,
        rows_per_batch=job.source.rows_per_batch or _count_rows_per_batch(card, inference),
        steps=(*job.preprocess.steps, *package.steps),
        output=output,
    )


def manifest_head(plan: Plan) -> dict[str, Any]:
    """Return what the launcher knows of the run for its manifest.

    Publishing adds the stored plan's inputs, files and totals.
    """
    card = plan.package.card
    agreement = plan.inference.agreement
    # These names are read by other programs, and by later versions of this one.
    return {
        "format": 1,
        "job": plan.job.model_dump(mode="json"),
        "model": {
            "name": card.name,
            "version": card.version,
            "digest": plan.package.digest,
            "package": plan.package.url,
            "labels": list(card.labels),
        },
        "computing": plan.inference.settings.as_dict(),
        "agreement": asdict(agreement) if agreement else None,
        "schema": describe_schema(plan.output.file_format.schema),
        "libraries": list_libraries(),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def store_plan(plan: Plan) -> None:
    """Put the units where the graph reads them.

    A plan that an interrupted launch left is the same one, and stays.
    """
    inputs = tuple(_describe_shard(shard) for shard in plan.shards)
    stored = StoredPlan(plan.units, inputs, plan.ignored)
    files.create(plan.run.plan, encode_plan(stored))


def _describe_shard(shard: Shard) -> dict[str, Any]:
    return {
        "url": shard.file.url,
        "bytes": shard.file.bytes,
        "version": shard.file.version,
        "rows": shard.rows,
    }


def _find_output(job: ScoringJob) -> str:
    if not files.can_publish_to(job.sink.path):
        raise JobError(
            f"sink.path {job.sink.path}: must be on a local disk, s3:// or gs://, "
            "where a file can be created only if there is none: publishing rests on that"
        )
    return _to_absolute(job.sink.path, "sink.path", JobError)


def _read_package(job: ScoringJob) -> Package:
    package = read_package(_to_absolute(job.model.package, "model.package", ModelError))
    # Before any of its steps runs.
    check_functions(job, package)
    # Libraries in Rust write to stderr by themselves when they panic.
    with workers_kept_quiet():
        check = partial(check_preprocessing, package, job.model.timeout_seconds)
        load_within_limits(check, package.url, package.card)
    return package


def _to_absolute(url: str, what: str, refusal: type[Refusal]) -> str:
    try:
        return files.to_absolute(url)
    except (ImportError, ValueError) as error:
        raise refusal(
            f"{what} {url}: {error}; install the extra for this kind of storage (s3, gcs)"
        ) from error


def _count_rows_per_batch(card: ModelCard, inference: InferenceSettings) -> int:
    """Return rows that make about 64 MiB of network input, in whole mini-batches."""
    batch_rows = inference.settings.batch_rows
    rows = min(_MOST_ROWS_PER_BATCH, _BATCH_BYTES // bytes_per_row(card))
    # A mini-batch that is filled up with padding costs as much as a full one.
    return max(batch_rows, rows - rows % batch_rows)
