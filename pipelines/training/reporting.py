"""What a training came to -> the values of its report."""

from collections.abc import Iterator, Mapping
import platform
from typing import Any

import torch

from model_zoo.package.card import ModelCard
from pipelines.packing.writing.packed import Packed
from pipelines.training.described_steps import describe_step
from pipelines.training.fitting_job import FittingJob
from pipelines.training.learned import Learned
from pipelines.training.prepared import Prepared
from pipelines.training.report import Report, ReportedColumn
from pipelines.training.split import PARTS
from pipelines.training.understood import Understood


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
    labelled = understood.labelled
    columns = _list_columns(job, understood, card)
    steps = map(describe_step, packed.steps)
    machine = platform.machine()
    return Report(
        name=card.name,
        version=card.version,
        package=str(job.output),
        digest=packed.written.digest,
        task=labelled.task,
        labels=labelled.labels,
        job=text,
        network=_describe_network(card),
        weights=_count_weights(prepared),
        recipe=_describe_recipe(job),
        columns=tuple(columns),
        parts=_count_rows(prepared),
        epochs=learned.epochs,
        scored=learned.scored,
        left_out=_count_left_out(understood, prepared),
        steps=tuple(steps),
        seconds=seconds,
        machine=f"{machine}, {job.training.device}, torch {torch.__version__}",
        notes=(*understood.notes, *learned.notes),
    )


def _describe_network(card: ModelCard) -> str:
    words = [f"{name} {value}" for name, value in card.parameters.items()]
    parameters = ", ".join(words)
    return f"{card.builder} ({parameters})"


def _count_weights(prepared: Prepared) -> int:
    return sum(tensor.numel() for tensor in prepared.network.parameters())


def _count_rows(prepared: Prepared) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in PARTS:
        rows = prepared.parts[name].rows
        counts[name] = rows.num_rows
    return counts


def _describe_recipe(job: FittingJob) -> dict[str, str]:
    """Return the choices of training that are not left out, in words."""
    choices: dict[str, Any] = job.training.model_dump(exclude_none=True)
    # Classes and labels have losses of their own, which nobody chooses.
    if job.task != "regression":
        choices.pop("loss", None)
    words = {}
    for name, value in choices.items():
        # An empty list or text chooses nothing.
        if value not in ((), ""):
            words[name] = str(value)
    return words


def _list_columns(
    job: FittingJob, understood: Understood, card: ModelCard
) -> Iterator[ReportedColumn]:
    """Yield the columns of the data, each with what it is for."""
    missing = {column.name: column.missing for column in card.columns}
    data = job.data
    # What a column is for, the one that counts last.
    roles: dict[str | None, str] = {
        data.group: "group",
        data.time: "time",
        job.split.column: "part",
    }
    roles[str(data.key)] = "key"
    for name in data.label:
        roles[name] = "label"
    for name in missing:
        roles[name] = "feature"
    for field in understood.rows.schema:
        name = field.name
        role = roles.get(name, "left out")
        yield ReportedColumn(name, str(field.type), role, missing.get(name, ""))


def _count_left_out(understood: Understood, prepared: Prepared) -> dict[str, int]:
    """Return how many rows are in no part by the reason, without reasons that no row has."""
    counts = {}
    if understood.unlabelled:
        counts["without a label"] = understood.unlabelled
    for name in PARTS:
        left_out = prepared.parts[name].left_out
        if left_out:
            counts[f"of the {name} part, as scoring would reject them"] = left_out
    return counts
