"""The packaging job that flags name, read from its file or made of the flags alone."""

import argparse
from collections.abc import Sequence
import json

from configs.errors import JobError
from configs.load import Override, load, parse_set, read_fields, read_mapping
from configs.packaging import CONVERTED, PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.cli.yaml_words import to_yaml, to_yaml_list
from pipelines.packing.asking.gaps import ask_beside

_TEXT_FLAGS = (
    "name",
    "network",
    "weights",
    *CONVERTED,
    "huggingface",
    "image",
    "text",
    "settings",
    "key",
    "label",
    "task",
    "activation",
    "expected",
    "output",
)
# By flag, the field of a server's model.
_OF_SERVERS = {
    "remote": "remote.url",
    "protocol": "remote.protocol",
    "remote_name": "remote.name",
    "remote_version": "remote.version",
}


def load_job(arguments: argparse.Namespace) -> PackagingJob[AnyStep]:
    """Return the job as its file and the flags say.

    Raises:
        JobError: it is not valid; with what it leaves out beside that.
    """
    return _load(arguments.config, _list_overrides(arguments))


def _load(config: str | None, overrides: Sequence[Override]) -> PackagingJob[AnyStep]:
    # First, so that only what is not valid is told beside what is missing.
    fields = read_fields(config, overrides)
    try:
        return load(PackagingJob[AnyStep], config, overrides)
    except JobError as error:
        raise ask_beside(error, fields) from error


def _list_overrides(arguments: argparse.Namespace) -> list[Override]:
    overrides = [parse_set(text) for text in arguments.set]
    for name in _TEXT_FLAGS:
        value = getattr(arguments, name)
        if value is not None:
            overrides.append((name, to_yaml(value)))
    said = [name for name in ("trust_this_file", "native") if getattr(arguments, name)]
    overrides.extend((name, "true") for name in said)
    for name in _OF_SERVERS:
        value = getattr(arguments, name)
        if value is not None:
            overrides.append((_OF_SERVERS[name], to_yaml(value)))
    if arguments.version is not None:
        overrides.append(("version", to_yaml(arguments.version)))
    if arguments.sample:
        overrides.append(("sample", to_yaml_list(arguments.sample)))
    if arguments.labels:
        names = arguments.labels.split(",")
        overrides.append(("labels", to_yaml_list(names)))
    if arguments.parameters is not None:
        overrides.append(("parameters", json.dumps(read_mapping(arguments.parameters))))
    return overrides
