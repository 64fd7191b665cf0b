"""A job that scores the sample with the package as it stands, to begin from."""

from collections.abc import Mapping
from typing import Any

import yaml

from configs.packaging import PackagingJob
from model_zoo.architectures.builders import is_users_own
from model_zoo.architectures.users_own import module_of
from model_zoo.package.card import ModelCard
from model_zoo.steps.function import Function
from model_zoo.steps.table import AnyStep
from pipelines.packing.sample import is_csv
from storage import files

_HEAD = (
    "# {command}\n#\n# Made by pipelines.package; source.paths and sink.path are yours to change.\n"
)


def write_starter_job(
    job: PackagingJob[AnyStep],
    card: ModelCard,
    steps: tuple[AnyStep, ...],
    types: Mapping[str, str],
) -> str:
    """Write the job beside the package, and return its path.

    Args:
        job: the packaging job.
        card: of the package.
        steps: of the package.
        types: Arrow types of the sample's columns, by name.
    """
    path = f"{job.output.rstrip('/')}.job.yaml"
    modules = sorted({step.module for step in steps if isinstance(step, Function)})
    source: dict[str, Any] = {"paths": [_absolute(url) for url in job.sample]}
    # A CSV file tells no types; the contract has those of the model's columns.
    if is_csv(job.sample[0]):
        source["format"] = "csv"
        if job.key is not None:
            source["types"] = {job.key: types[job.key]}
    if job.key is not None:
        source["key"] = job.key
    model: dict[str, Any] = {"package": _absolute(job.output)}
    if is_users_own(card.builder):
        model["modules"] = [module_of(card.builder)]
    fields: dict[str, Any] = {"name": card.name, "source": source}
    if modules:
        fields["preprocess"] = {"modules": modules}
    fields["model"] = model
    fields["sink"] = {"path": f"scores/{card.name}"}
    # The sample may have rows that the contract rejects, and a first look shall show them.
    fields["errors"] = {"max_rejected_percent": 10.0}
    head = _HEAD.format(command=f"python -m pipelines.score --config {path}")
    text = head + yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)
    files.replace(files.to_absolute(path), text.encode())
    return path


def _absolute(url: str) -> str:
    return files.to_absolute(url)
