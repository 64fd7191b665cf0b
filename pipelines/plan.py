"""From a Job to a Plan: everything decided, frozen and checked before the first worker starts. Writes nothing."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
import hashlib
from importlib.metadata import PackageNotFoundError, version
import json
import platform
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import JobError, ModelError, Refusal
from configs.job import Job
from configs.load import nearest
from configs.messages import shown
from configs.steps import Step
from model_zoo.card import ModelCard
from model_zoo.package import Package, read_package, smoke_rows
from pipelines.arrow_types import parse_type
from pipelines.inputs import Shard, cut_into_units, list_shards, read_shards
from pipelines.source import column_names, csv_format, wanted_columns
from pipelines.speed import Speed, activation_of, bytes_per_row, speed_of
from storage import files
from storage.layout import RunFolder
from transforms.batches import WorkUnit
from transforms.manifest import describe_schema
from transforms.part_file import FileFormat
from transforms.plan_file import StoredPlan, encode_plan
from transforms.postprocess import ScoreColumns, postprocess_rows
from transforms.predict import Scoring
from transforms.preprocess import Missing, ModelInput, preprocess_rows
from transforms.read_csv import CsvFormat

_BATCH_BYTES = 64 << 20
_MOST_ROWS_PER_BATCH = 1 << 16
_NOT_IN_THE_OUTPUT = {
    "source": {"paths", "max_expansion"},
    "model": {"package", "timeout_seconds", "dtype", "batch_rows", "certificate", "tolerance"},
    "sink": {"path"},
    "errors": {"max_rejected_rows", "max_rejected_percent"},
}
_LIBRARIES = ("apache-beam", "numpy", "pandas", "pillow", "pyarrow", "torch")
_EXTRAS = ("tokenizers", "torchvision")


@dataclass(frozen=True)
class Plan:
    """What a run will do, in the words of the transforms."""

    job: Job
    package: Package
    run: RunFolder
    shards: tuple[Shard, ...]
    units: tuple[WorkUnit, ...]
    ignored: tuple[str, ...]
    schema: pa.Schema
    csv: CsvFormat
    speed: Speed
    rows_per_batch: int
    missing: tuple[Missing, ...]
    steps: tuple[Step, ...]
    inputs: dict[str, ModelInput]
    scores: ScoreColumns
    keep: tuple[str, ...]
    file_format: FileFormat

    @property
    def rows(self) -> int | None:
        """Input rows, or None when only reading tells (CSV)."""
        rows = [shard.rows for shard in self.shards]
        return None if None in rows else sum(r for r in rows if r is not None)


def make_plan(job: Job) -> Plan:
    """Read the model package and the inputs' footers, check that they fit together, and name the run.

    Raises:
        ModelError, InputError, JobError: what does not fit.
    """
    if not files.can_publish_to(job.sink.path):
        raise JobError(
            f"sink.path {job.sink.path}: must be on a local disk, s3:// or gs://, where a file can be created only if there is none: "
            "publishing rests on that"
        )
    output = _absolute(job.sink.path, "sink.path", JobError)
    package = read_package(_absolute(job.model.package, "model.package", ModelError))
    _check_functions(job, package)
    _check_preprocessing(package)
    csv = csv_format(job.source)
    inputs, ignored = list_shards(job.source.paths)
    shards, found = read_shards(inputs, job.source.format, wanted_columns(job, package.card), csv)
    schema = pa.schema([found.field(n) for n in column_names(job, package.card)])
    scores = _score_columns(job, package)
    keep = job.postprocess.keep if job.postprocess.keep is not None else _default_keep(scores, package.card)
    speed = speed_of(job, package)
    run = RunFolder(output, run_id(job, package, speed, shards))
    return Plan(
        job=job,
        package=package,
        run=run,
        shards=tuple(shards),
        units=cut_into_units(shards, job.sink.rows_per_file),
        ignored=tuple(ignored),
        schema=schema,
        csv=csv,
        speed=speed,
        rows_per_batch=job.source.rows_per_batch or _rows_per_batch(package.card, speed.settings.batch_rows),
        missing=tuple(Missing(c.name, c.missing, c.fill) for c in package.card.columns),
        steps=(*job.preprocess.steps, *package.steps),
        inputs=_model_inputs(package.card),
        scores=scores,
        keep=keep,
        file_format=_file_format(job, package, schema, scores, keep),
    )


def _absolute(url: str, what: str, refusal: type[Refusal]) -> str:
    try:
        return files.absolute(url)
    except (ImportError, ValueError) as error:
        raise refusal(f"{what} {url}: {error}; install the extra for this kind of storage (s3, gcs)") from error


def run_id(job: Job, package: Package, speed: Speed, shards: Sequence[Shard]) -> str:
    """Digest of what decides the output: input files with their versions, model, settings. The same work has the same id."""
    work = {
        "inputs": [[s.file.url, s.file.version] for s in shards],
        "model": package.digest,
        "settings": output_settings(job.model_dump(mode="json")),
        "computing": speed.settings.as_dict(),
    }
    return hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()[:16]


def output_settings(job: Mapping[str, Any]) -> dict[str, Any]:
    """Of a dumped job what decides the output, beside inputs and model."""
    return {
        section: {name: value for name, value in fields.items() if name not in _NOT_IN_THE_OUTPUT.get(section, ())}
        for section, fields in job.items()
        if section != "name"
    }


def libraries() -> dict[str, str]:
    """Versions of what computes and writes."""
    versions = {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}
    for name in _EXTRAS:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def manifest_head(plan: Plan) -> dict[str, Any]:
    """What the launcher knows of the run for its manifest; publishing adds the stored plan's inputs, files and totals."""
    card = plan.package.card
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
        "computing": plan.speed.settings.as_dict(),
        "agreement": asdict(plan.speed.agreement) if plan.speed.agreement else None,
        "schema": describe_schema(plan.file_format.schema),
        "libraries": libraries(),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def scoring_of(plan: Plan, workers: int) -> Scoring:
    """Which model scores, and how; `workers` of them share one machine."""
    model, package = plan.job.model, plan.package
    return Scoring(
        package.url,
        package.digest,
        model.device,
        plan.speed.settings,
        model.timeout_seconds,
        model.not_finite,
        workers,
        plan.speed.machine,
    )


def store_plan(plan: Plan) -> None:
    """Put the units where the graph reads them; a plan that an interrupted launch left is the same one."""
    inputs = [{"url": s.file.url, "bytes": s.file.bytes, "version": s.file.version, "rows": s.rows} for s in plan.shards]
    files.create(plan.run.plan, encode_plan(StoredPlan(plan.units, tuple(inputs), plan.ignored)))


def _check_functions(job: Job, package: Package) -> None:
    for step in package.steps:
        if step.step == "function" and step.module not in job.preprocess.modules:
            raise JobError(f"the model package calls {step.function}; list {step.module} in preprocess.modules to allow it")


def _check_preprocessing(package: Package) -> None:
    """Preprocess the smoke batch and compare with what training handed to the network."""
    smoke = smoke_rows(package).combine_chunks()
    missing = [Missing(c.name, c.missing, c.fill) for c in package.card.columns]
    try:
        rows = smoke.select([c.name for c in package.card.columns]).to_batches()[0]
        arrays = preprocess_rows(rows, missing, package.steps, _model_inputs(package.card))
        for name, actual in arrays.items():
            column = smoke.column(f"input.{name}").combine_chunks()
            flat = column.values if package.card.inputs[name].shape else column
            expected = flat.to_numpy(zero_copy_only=False).reshape(actual.shape)
            if not np.allclose(actual, expected, rtol=1e-5, atol=1e-6):
                raise ModelError(
                    f"{package.url}: preprocessing of the smoke batch gives other values of {name} than in training; {_MEND}"
                )
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(f"{package.url}: the smoke batch does not fit the contract: {shown(error)}; {_MEND}") from error


_MEND = "pack the model again with these library versions"


def _model_inputs(card: ModelCard) -> dict[str, ModelInput]:
    return {name: ModelInput(t.dtype, t.shape) for name, t in card.inputs.items()}


def _rows_per_batch(card: ModelCard, batch_rows: int) -> int:
    """Rows that make about 64 MiB of network input, in whole mini-batches."""
    rows = min(_MOST_ROWS_PER_BATCH, _BATCH_BYTES // bytes_per_row(card))
    return max(batch_rows, rows - rows % batch_rows)


def _score_columns(job: Job, package: Package) -> ScoreColumns:
    post, card = job.postprocess, package.card
    constants = {"model_name": card.name, "model_version": card.version, "model_digest": package.digest}
    return ScoreColumns(
        activation=activation_of(job, card),
        labels=card.labels if post.labels is None else post.labels,
        threshold=post.threshold,
        top_k=post.top_k,
        rename=post.rename,
        dtypes={name: parse_type(text, f"postprocess.dtypes.{name}") for name, text in post.dtypes.items()},
        constants=constants if post.model_columns else {},
    )


def _default_keep(scores: ScoreColumns, card: ModelCard) -> tuple[str, ...]:
    if scores.activation == "none":
        return tuple(card.outputs)
    top = ("top_labels", "top_probabilities") if scores.top_k > 1 else ()
    return ("probability", "label", *top) if scores.labels else ("probability", "class", *top)


def _file_format(job: Job, package: Package, schema: pa.Schema, scores: ScoreColumns, keep: tuple[str, ...]) -> FileFormat:
    """The output's schema, found by taking no rows through postprocessing; refuses what cannot be stored or sorted."""
    card, carried = package.card, job.source.carried
    no_rows = schema.empty_table().to_batches(max_chunksize=1) or [pa.RecordBatch.from_pylist([], schema=schema)]
    outputs = {n: np.empty((0, *t.shape), dtype=t.dtype) for n, t in card.outputs.items()}
    _check_labels(scores, card)
    _check_names(scores, keep)
    out = postprocess_rows(no_rows[0], outputs, carried, scores, keep, job.postprocess.where).schema
    names = {"name": card.name, "version": card.version, "digest": package.digest}
    out = out.with_metadata({f"model.{k}": v for k, v in names.items()})
    if job.sink.escape_formulas and job.sink.format != "csv":
        raise JobError("sink.escape_formulas: is for spreadsheets, which open CSV; set sink.format=csv, or leave it out")
    if job.sink.format == "csv" and (nested := [f.name for f in out if pa.types.is_nested(f.type) or pa.types.is_binary(f.type)]):
        raise JobError(
            f"sink.format csv cannot hold column {nested[0]!r} of type {out.field(nested[0]).type}; use parquet or leave it out"
        )
    repeating = tuple(f.name for f in out if f.name != job.source.key and _is_text(f.type))
    sort_by = _sort_keys(job.postprocess.sort_by, out)
    return FileFormat(job.sink.format, out, repeating, sort_by, job.sink.rows_per_file, job.sink.escape_formulas)


def _is_text(dtype: pa.DataType) -> bool:
    return pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_dictionary(dtype)


def _check_names(scores: ScoreColumns, keep: Sequence[str]) -> None:
    """Refuse a new name or dtype for a score column that is not written."""
    if unknown := sorted(set(scores.rename) - set(keep)):
        raise JobError(f"postprocess.rename names {unknown[0]!r}, which postprocess.keep does not{nearest(unknown[0], keep)}")
    written = [scores.rename.get(name, name) for name in keep]
    if unknown := sorted(set(scores.dtypes) - set(written)):
        raise JobError(f"postprocess.dtypes names {unknown[0]!r}, which is not a score column{nearest(unknown[0], written)}")


def _check_labels(scores: ScoreColumns, card: ModelCard) -> None:
    sizes = [t.shape[-1] if t.shape else 1 for t in card.outputs.values()]
    classes = 2 if scores.activation == "sigmoid" else sizes[0]
    if scores.activation != "none" and scores.labels and len(scores.labels) != classes:
        raise JobError(f"postprocess.labels must name {classes} classes for this model, got {len(scores.labels)}")
    if scores.activation == "softmax" and scores.top_k > classes:
        raise JobError(f"postprocess.top_k must be <= {classes}, the model's classes, got {scores.top_k}")


def _sort_keys(sort_by: Sequence[str], schema: pa.Schema) -> tuple[tuple[str, str], ...]:
    keys = []
    for text in sort_by:
        name, order = (text[:-5], "descending") if text.endswith(" desc") else (text, "ascending")
        if name not in schema.names:
            raise JobError(f"postprocess.sort_by names column {name!r}; the output has {', '.join(schema.names)}")
        if pa.types.is_nested(schema.field(name).type):
            raise JobError(f"postprocess.sort_by: column {name!r} of type {schema.field(name).type} has no order")
        keys.append((name, order))
    return tuple(keys)
