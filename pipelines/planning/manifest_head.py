"""From a Plan to what the launcher knows of the run for its manifest."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from model_zoo.engines.engine import find_engine
from pipelines.planning.identity import list_libraries
from pipelines.planning.plan import Plan
from pipelines.planning.plan_summaries import hash_users_summaries
from transforms.formats.output import FileFormat
from transforms.output.manifest import (
    PRUNED_FILES,
    SERVED_BY,
    SUMMARY_SOURCES,
    describe_schema,
)


def manifest_head(plan: Plan) -> dict[str, Any]:
    """Return what the launcher knows of the run for its manifest.

    Publishing adds the stored plan's inputs, files and totals.
    """
    package = plan.package
    card = package.card
    started_at = datetime.now(UTC)
    inference = plan.inference
    agreement = asdict(inference.agreement) if inference.agreement else None
    engine = find_engine(inference.settings.engine)
    libraries = list_libraries(card.builder)
    file_format = plan.output_plan.file_format
    library = engine.describe_version()
    # Most are there by their own names; what computed counts where units of another run are taken.
    libraries.setdefault(engine.name, library)
    # These names are read by other programs, and by later versions of this one.
    return {
        "format": 1,
        "job": plan.job.model_dump(mode="json"),
        "model": {
            "name": card.name,
            "version": card.version,
            "digest": package.digest,
            "package": package.url,
            "labels": list(card.labels),
            "task": card.task,
        },
        "computing": inference.settings.as_dict(),
        "engine": {
            "name": engine.name,
            "library": library,
            "chosen_by": inference.chosen_by,
        },
        "agreement": agreement,
        "schema": describe_schema(file_format.without_partitions().schema),
        **_describe_partitions(file_format),
        "libraries": libraries,
        **_describe_pruned(plan),
        **_describe_table(plan),
        **_describe_summaries(plan),
        **_describe_server(plan),
        "planned_at": plan.planned_at.isoformat(timespec="microseconds"),
        "started_at": started_at.isoformat(timespec="seconds"),
    }


def _describe_partitions(file_format: FileFormat) -> dict[str, Any]:
    # Of a job that asks for them, for the same reason.
    names = list(file_format.partition_by)
    if not names:
        return {}
    fields = [file_format.schema.field(name) for name in names]
    return {"partition_by": describe_schema(pa.schema(fields))}


def _describe_pruned(plan: Plan) -> dict[str, int]:
    # The books of a job without a filter are as they always were.
    if plan.job.source.where is None:
        return {}
    return {PRUNED_FILES: plan.pruned}


def _describe_summaries(plan: Plan) -> dict[str, Any]:
    # Of a job that names some of its own.
    sources = hash_users_summaries(plan.job)
    return {SUMMARY_SOURCES: sources} if sources else {}


def _describe_server(plan: Plan) -> dict[str, Any]:
    # Other models are computed here.
    if plan.served is None:
        return {}
    return {SERVED_BY: {**plan.served.describe(), "server": plan.served.server}}


def _describe_table(plan: Plan) -> dict[str, Any]:
    # Other inputs are told by their files alone.
    if plan.table is None:
        return {}
    return {"table": plan.table.describe()}
