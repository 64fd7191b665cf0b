"""What a training came to -> the values of its report."""

from collections.abc import Iterator, Mapping
import platform
from typing import Any

import torch

from model_zoo.package.card import ModelCard
from pipelines.packing.writing.packed import Packed
from pipelines.planning.jobs import FittingJob
from pipelines.training.described_steps import describe_step
from pipelines.training.learning import Learned
from pipelines.training.preparing import Prepared
from pipelines.training.report import Report, ReportedColumn
from pipelines.training.split import PARTS
from pipelines.training.understanding import Understood


def make_report(
    job: FittingJob,
    understood: Understood,
    prepared: Prepared,
    learned: Learned,
    packed: Packed,
    text: str,
    seconds: Mapping[str, float],
) -> Report:
    """Return the report.

    Args:
        job: complete.
        understood: its rows.
        prepared: its network.
        learned: how that was trained, and how good it is.
        packed: the package.
        text: the job as YAML.
        seconds: how long which part of the work took.
    """
    card = packed.card
    parameters = ", ".join(f"{name} {value}" for name, value in card.parameters.items())
    return Report(
        name=card.name,
        version=card.version,
        package=str(job.output),
        digest=packed.written.digest,
        task=understood.labelled.task,
        labels=understood.labelled.labels,
        job=text,
        network=f"{card.builder} ({parameters})",
        weights=sum(tensor.numel() for tensor in prepared.network.parameters()),
        recipe=_describe_recipe(job),
        columns=tuple(_list_columns(job, understood, card)),
        parts={name: prepared.parts[name].rows.num_rows for name in PARTS},
        epochs=learned.epochs,
        scored=learned.scored,
        left_out=_count_left_out(understood, prepared),
        steps=tuple(map(describe_step, packed.steps)),
        seconds=seconds,
        machine=f"{platform.machine()}, {job.training.device}, torch {torch.__version__}",
        notes=(*understood.notes, *learned.notes),
    )


def _describe_recipe(job: FittingJob) -> dict[str, str]:
    """Return the choices of training that are not left out, in words."""
    choices: dict[str, Any] = job.training.model_dump(exclude_none=True)
    return {name: str(value) for name, value in choices.items() if value not in ((), "")}


def _list_columns(
    job: FittingJob, understood: Understood, card: ModelCard
) -> Iterator[ReportedColumn]:
    missing = {column.name: column.missing for column in card.columns}
    data = job.data
    roles = {str(data.key): "key"} | dict.fromkeys(data.label, "label")
    others = {data.group: "group", data.time: "time", job.split.column: "part"}
    for field in understood.rows.schema:
        role = roles.get(field.name) or others.get(field.name, "left out")
        if field.name in missing:
            role = "feature"
        yield ReportedColumn(field.name, str(field.type), role, missing.get(field.name, ""))


def _count_left_out(understood: Understood, prepared: Prepared) -> dict[str, int]:
    counts = {"without a label": understood.unlabelled}
    for name in PARTS:
        counts[f"of the {name} part, as scoring would reject them"] = prepared.parts[name].left_out
    return {reason: count for reason, count in counts.items() if count}
