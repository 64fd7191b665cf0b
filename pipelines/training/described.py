"""A training job as a YAML file that runs as it stands, and as packing takes it."""

import yaml

from configs.fields import Fields
from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.training.fitting_job import FittingJob
from pipelines.training.held_out import SHARDS
from pipelines.training.loading_steps import list_loading_steps
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
    folder = _name_folder(job).replace("\\", "/")
    above, _, last = folder.rpartition("/")
    _, _, parent = above.rpartition("/")
    name = last
    version = "1"
    # A number alone is no name: it is the version of the folder that it stands in.
    if last.isdecimal() and parent:
        name = parent
        version = last
    changes = {
        "name": job.name or _to_name(name),
        "version": job.version or version,
    }
    return job.model_copy(update=changes)


def _name_folder(job: FittingJob) -> str:
    """Return where the package goes, without a slash behind it."""
    return str(job.output).rstrip("/")


def _to_name(text: str) -> str:
    letters = [letter if _is_of_names(letter) else "-" for letter in text]
    name = "".join(letters).strip("-._")
    return name or "model"


def _is_of_names(letter: str) -> bool:
    if not letter.isascii():
        return False
    return letter.isalnum() or letter in "_.-"


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
    loading = list_loading_steps(written)
    if loading:
        # The rows have what these read, and the steps behind them take it.
        described = [_describe_step(step) for step in loading]
        fields["preprocess"] = described + fields.get("preprocess", [])
    fields["training"] = job.training.model_dump(mode="json", exclude_none=True)
    # As they are declared, which is how a person reads them.
    in_order = type(job).model_fields
    ordered = {name: fields[name] for name in in_order if name in fields}
    body: str = yaml.safe_dump(
        ordered,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=120,
    )
    output = _name_folder(job)
    head = _HEAD.format(
        path=f"{output}.train.yaml",
        next=_name_next(output),
    )
    return head + body


def _describe_step(step: AnyStep) -> Fields:
    fields = step.model_dump(mode="json", exclude_defaults=True)
    return {"step": step.step} | fields


def _name_next(output: str) -> str:
    above, slash, last = output.rpartition("/")
    if last.isdecimal():
        following = int(last) + 1
        return f"{above}{slash}{following}"
    return f"{output}_{_VERSION}"


def to_packaging(job: FittingJob) -> PackagingJob[AnyStep]:
    """Return the job as packing has it, with the network that it names or none yet."""
    data = job.data
    network = job.network
    shards = files.join(held_out_folder(job), SHARDS)
    fields: Fields = {
        "name": job.name,
        "version": job.version,
        # What a network and its weights are called that are in memory, until they are known.
        "network": network.builder or "mlp",
        "weights": "in memory",
        "sample": (shards,),
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
        # Of a network, nothing stands for a graph that is exported where it can be.
        "onnx": None if job.onnx else False,
    }
    packaging = PackagingJob[AnyStep].model_validate(fields)
    return packaging.model_copy(update={"network": network.builder or ""})


def _missing_word(job: FittingJob) -> dict[str, str]:
    """Return the word for all features of a job that says none."""
    # A bundled data set has no missing values; a table of one's own may have them some day.
    word = "reject" if job.data.dataset is None else "error"
    return {"default": word}


def held_out_folder(job: FittingJob) -> str:
    """Return where the test rows go."""
    output = _name_folder(job)
    return job.held_out or f"{output}.held_out"
