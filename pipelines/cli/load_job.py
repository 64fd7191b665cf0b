"""The job that flags name, read from its file or made of the flags alone."""

import argparse
from pathlib import Path
import re

from configs.errors import JobError
from configs.load import Override, load, parse_set
from pipelines.cli.job_flags import SAMPLE
from pipelines.cli.yaml_words import to_yaml, to_yaml_list
from pipelines.planning.jobs import ScoringJob
from pipelines.versions.names import split_name

# A job of flags alone needs these, and has the package's defaults for the rest.
_NEEDED = ("input", "model", "output")
# What the ending of a file says; that of a folder says nothing.
_ENDINGS = {
    "csv": (".csv", ".csv.gz"),
    "arrow": (".arrow", ".arrows", ".feather", ".ipc"),
    "avro": (".avro",),
    "jsonl": (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"),
    "orc": (".orc",),
}
_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


def load_job(arguments: argparse.Namespace) -> ScoringJob:
    """Return the job as its file and the flags say.

    Raises:
        JobError: it is not valid.
    """
    config = _find_config(arguments)
    overrides = [] if config else _list_found(arguments)
    overrides += [parse_set(text) for text in arguments.set]
    # After those of --set, so that a flag of its own has the last word.
    if arguments.input:
        overrides.append(("source.paths", to_yaml_list(arguments.input)))
    if arguments.model is not None:
        package = to_yaml(arguments.model)
        overrides.append(("model.package", package))
    if arguments.output is not None:
        output = to_yaml(arguments.output)
        overrides.append(("sink.path", output))
    if arguments.key is not None:
        key = to_yaml(arguments.key)
        overrides.append(("source.key", key))
    return load(ScoringJob, config, overrides)


def _find_config(arguments: argparse.Namespace) -> str | None:
    """Return the job's file, or None where the flags are the whole job.

    Raises:
        JobError: neither is whole.
    """
    if arguments.config is not None:
        config: str = arguments.config
        return config
    # Where the sample's scores go says nothing of another job.
    if not (arguments.input or arguments.model or arguments.key):
        return _find_sample()
    missing = [f"--{name}" for name in _NEEDED if not getattr(arguments, name)]
    if missing:
        flags = " and ".join(missing)
        raise JobError(
            f"{flags}: required where no --config names a job; "
            "give --input, --model and --output, or add --config JOB.yaml"
        )
    return None


def _find_sample() -> str:
    if Path(SAMPLE).is_file():
        return SAMPLE
    raise JobError(
        f"no job is named, and the sample, {SAMPLE}, is not in this folder; name a job with "
        "--config JOB.yaml, or give --input, --model and --output"
    )


def _list_found(arguments: argparse.Namespace) -> list[Override]:
    """Return what a job without a file has beside its flags; --set may say otherwise."""
    job_name = _name_job(arguments.model)
    found = [("name", to_yaml(job_name))]
    for name, endings in _ENDINGS.items():
        if all(path.endswith(endings) for path in arguments.input):
            found.append(("source.format", name))
    return found


def _name_job(model: str) -> str:
    """Return a job's name, from the folder of its package.

    >>> _name_job("models/churn/1"), _name_job("models/churn@champion"), _name_job("/")
    ('churn', 'churn', 'job')
    """
    # `models/churn@champion` is a version of `models/churn`.
    folder, _ = split_name(model) or (model, "")
    parts = [part for part in folder.split("/") if part]
    # The last folder is often the version.
    while len(parts) > 1 and parts[-1].isdigit():
        parts.pop()
    last = parts[-1] if parts else ""
    replaced = _NOT_OF_A_NAME.sub("-", last)
    name = replaced.strip("-._")
    return name or "job"
