"""A training job as a YAML file that runs as it stands, and as packing takes it."""

from typing import Any

import yaml

from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.planning.jobs import FittingJob
from pipelines.training.held_out import SHARDS
from storage import files

_HEAD = """\
# python -m pipelines.train --config {path} --output {next}
#
# The whole job as it was understood; edit it and train again. `pipelines.train --help` and docs/train.md say what
# else there is.
"""
_VERSION = 2
_TAKEN_OVER = ("features", "missing", "fill", "numbers", "labels")


def name_model(job: FittingJob) -> FittingJob:
    """Return the job with name and version: by default those of the folder, `models/churn/1`."""
    *above, last = str(job.output).rstrip("/").replace("\\", "/").split("/")
    is_version = last.isdecimal() and bool(above) and bool(above[-1])
    name = above[-1] if is_version else last
    version = last if is_version else "1"
    return job.model_copy(
        update={"name": job.name or _to_name(name), "version": job.version or version}
    )


def _to_name(text: str) -> str:
    letters = [
        letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "-"
        for letter in text
    ]
    return "".join(letters).strip("-._") or "model"


def describe_job(job: FittingJob, written: FittingJob) -> str:
    """Return the job as YAML.

    Args:
        job: complete.
        written: as the person wrote it; a version that it does not say is that of each output.
    """
    fields = job.model_dump(mode="json", exclude_defaults=True)
    if written.version is None:
        fields.pop("version", None)
    if job.from_package is not None:
        # These are the package's, and would be taken over from it again.
        for name in _TAKEN_OVER:
            fields["data"].pop(name, None)
        fields.pop("preprocess", None)
        fields.pop("network", None)
    elif job.preprocess is not None:
        fields["preprocess"] = [_describe_step(step) for step in job.preprocess]
    fields["training"] = job.training.model_dump(mode="json", exclude_none=True)
    order = [name for name in type(job).model_fields if name in fields]
    body: str = yaml.safe_dump(
        {name: fields[name] for name in order},
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=120,
    )
    output = str(job.output).rstrip("/")
    head = _HEAD.format(path=f"{output}.train.yaml", next=_name_next(output))
    return head + body


def _describe_step(step: AnyStep) -> dict[str, Any]:
    fields = step.model_dump(mode="json", exclude_defaults=True)
    return {"step": step.step} | fields


def _name_next(output: str) -> str:
    above, slash, last = output.rpartition("/")
    if last.isdecimal():
        return f"{above}{slash}{int(last) + 1}"
    return f"{output}_{_VERSION}"


def to_packaging(job: FittingJob) -> PackagingJob[AnyStep]:
    """Return the job as packing has it, with the network that it names or none yet."""
    data, network = job.data, job.network
    fields: dict[str, Any] = {
        "name": job.name,
        "version": job.version,
        # What a network and its weights are called that are in memory, until they are known.
        "network": network.builder or "mlp",
        "weights": "in memory",
        "sample": (files.join(held_out_folder(job), SHARDS),),
        "output": job.output,
        "parameters": network.parameters,
        "key": data.key,
        # Which steps are fitted to; of several labels none is the one.
        "label": data.label[0] if len(data.label) == 1 else None,
        "columns": data.features,
        "missing": data.missing or _missing_word(job),
        "fill": data.fill,
        "numbers": data.numbers,
        "lengths": data.lengths,
        "cut": data.cut,
        "preprocess": job.preprocess,
        "inputs": network.inputs,
        "dtypes": network.dtypes,
        "graph": network.graph,
        "outputs": network.outputs,
        "task": job.task,
        "activation": network.activation,
        "labels": data.labels,
    }
    packaging = PackagingJob[AnyStep].model_validate(fields)
    return packaging.model_copy(update={"network": network.builder or ""})


def _missing_word(job: FittingJob) -> dict[str, str]:
    """Return the word for all features of a job that says none."""
    # A bundled data set has no missing values; a table of one's own may have them some day.
    return {"default": "reject" if job.data.dataset is None else "error"}


def held_out_folder(job: FittingJob) -> str:
    """Return where the test rows go."""
    return job.held_out or f"{str(job.output).rstrip('/')}.held_out"
