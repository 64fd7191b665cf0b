"""A job that scores the sample with the package as it stands, to begin from."""

from collections.abc import Mapping
import math
from pathlib import Path
import sys
from typing import TypeAlias

import pyarrow as pa
import yaml

from configs.errors import JobError
from configs.fields import Fields
from configs.packaging import PackagingJob
from model_zoo.architectures.users_own import is_users_own, module_of
from model_zoo.package.card import ModelCard
from model_zoo.package.package import write_package
from model_zoo.steps.function import Function
from model_zoo.steps.table import AnyStep
from pipelines.packing.material import Reading
from pipelines.packing.sample.paths import is_csv_sample
from pipelines.packing.writing.content import Content
from pipelines.packing.writing.packed import Written
from pipelines.planning.token_text import find_token_text
from storage import files

Job: TypeAlias = PackagingJob[AnyStep]

_HEAD = (
    "# {command}\n#\n# Made by pipelines.package; source.paths and sink.path are yours to change.\n"
)
_MANY_REJECTED = (
    "# Of the sample {rejected:,} of {rows:,} rows are rejected, so this job lets {percent:g} % be, for a first look;\n"
    "# set errors.max_rejected_percent to what a night may lose.\n"
)
# Labels that tell tokens which begin an entity from those that go on with it.
_SPAN_TAGS = ("B-", "I-")

_REJECTED_PERCENT = 10
# The rows behind those of the sample may have a few more missing values.
_MORE = 1.2


def write_package_and_job(
    job: Job,
    content: Content,
    sample: pa.Table,
    scored_rows: int,
    reading: Reading,
    replaces: bool = False,
) -> Written:
    """Write the package, and beside it a job that scores the sample.

    Args:
        job: the packaging job.
        content: of the package.
        sample: rows as the job will have them.
        scored_rows: how many of them the contract takes.
        reading: how the sample was read.
        replaces: whether a package that stands is replaced.

    Raises:
        JobError: one of them cannot be written; the same command can be tried again.
    """
    folder = job.output.rstrip("/")
    path = f"{folder}.job.yaml"
    starter = files.to_absolute(path)
    prefix = _find_prefix(job, content.steps)
    command = f"{prefix}python -m pipelines.score --config {path}"
    types = {field.name: str(field.type) for field in sample.schema}
    # Its files are not described yet, and say nothing of the job.
    card = ModelCard.model_validate({**content.card, "files": {}})
    fields = _make_job(job, card, content.steps, types, reading)
    fields["errors"] = _make_budget(sample.num_rows, scored_rows)
    body: str = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)
    text = _HEAD.format(command=command) + _tell_budget(sample.num_rows, scored_rows) + body
    try:
        digest = _write_both(starter, text, job.output, content, replaces)
    except OSError as error:
        raise JobError(
            f"output {job.output}: package and job cannot be written: {error}; "
            "mend its place and run the same command again, or choose another folder"
        ) from error
    return Written(digest, command, path)


def _write_both(
    starter: str,
    text: str,
    output: str,
    content: Content,
    replaces: bool,
) -> str:
    # The job first: a package that stands is never written again, so it must have all beside it.
    files.replace(starter, text.encode())
    try:
        if replaces:
            # Only now, when the package that takes its place is proven.
            files.remove(output)
        return write_package(output, content.card, content.steps, content.files)
    except BaseException:
        # A job without its package is of no use to anybody.
        files.remove(starter)
        raise


def _find_prefix(job: Job, steps: tuple[AnyStep, ...]) -> str:
    """Return what tells Python where the author's modules are, if they lie in this folder."""
    own = [step.module for step in steps if isinstance(step, Function)]
    if is_users_own(job.network):
        own.append(module_of(job.network))
    for name in own:
        file = str(sys.modules[name].__file__)
        # Programs find no modules by the folder that they happen to be started in.
        if Path(file).is_relative_to(Path.cwd()):
            return "PYTHONPATH=. "
    return ""


def _make_job(
    job: Job,
    card: ModelCard,
    steps: tuple[AnyStep, ...],
    types: Mapping[str, str],
    reading: Reading,
) -> Fields:
    modules = sorted({step.module for step in steps if isinstance(step, Function)})
    source: Fields = {"paths": [_absolute(url) for url in job.sample]}
    source |= reading.source
    # A CSV file tells no types; the contract has those of the model's columns.
    if not reading.source and is_csv_sample(job.sample):
        source["format"] = "csv"
        if job.key is not None:
            source["types"] = {job.key: types[job.key]}
    is_known = reading.source.get("format") == "files" and job.key == "path"
    if job.key is not None and not is_known:
        source["key"] = job.key
    model: Fields = {"package": _absolute(job.output)}
    if is_users_own(job.network):
        model["modules"] = [module_of(job.network)]
    if job.remote is not None:
        model["engine"] = "remote"
        # How its author reaches it, as far as that is not what anybody would do.
        reached = job.remote.server.model_dump(exclude_defaults=True)
        model |= {"server": reached} if reached else {}
    fields: Fields = {"name": card.name, "source": source}
    preprocess: Fields = {}
    if reading.steps:
        preprocess["steps"] = [step.model_dump(exclude_defaults=True) for step in reading.steps]
    if modules:
        preprocess["modules"] = modules
    if preprocess:
        fields["preprocess"] = preprocess
    fields["model"] = model
    postprocess = _list_choices(card, steps)
    if postprocess:
        fields["postprocess"] = postprocess
    fields["sink"] = {"path": f"scores/{card.name}"}
    return fields


def _make_budget(rows: int, scored_rows: int) -> dict[str, float]:
    """Return how many rows may be rejected: the sample may have some, and a first look shall show them."""
    left_out = (rows - scored_rows) / rows
    percent = math.ceil(100 * left_out * _MORE)
    at_least = max(_REJECTED_PERCENT, percent)
    at_most = min(100, at_least)
    return {"max_rejected_percent": float(at_most)}


def _tell_budget(rows: int, scored_rows: int) -> str:
    """Return what the job says of a budget that is larger than that of most; else nothing."""
    percent = _make_budget(rows, scored_rows)["max_rejected_percent"]
    if percent <= _REJECTED_PERCENT:
        return ""
    return _MANY_REJECTED.format(rejected=rows - scored_rows, rows=rows, percent=percent)


def _list_choices(card: ModelCard, steps: tuple[AnyStep, ...]) -> Fields:
    """Return what a user of such scores will want to change, as it is by default."""
    if card.task == "multi_label" and card.activation == "sigmoid":
        labels = "labels" if card.labels else "classes"
        return {"keep": [labels, "probabilities"], "threshold": 0.5}
    if card.task != "tokens" or card.mask is None:
        return {}
    has_spans = any(label.startswith(_SPAN_TAGS) for label in card.labels)
    if has_spans and find_token_text(card.mask, card.columns, steps) is not None:
        return {"keep": ["tokens", "spans"]}
    return {"keep": ["tokens"]}


def _absolute(url: str) -> str:
    return files.to_absolute(url)
