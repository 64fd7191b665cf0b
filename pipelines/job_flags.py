"""The flags that name a job and override its fields, alike in every program that takes one."""

import argparse
import json

from configs.job import Job
from configs.load import load, parse_set

_DEFAULT_CONFIG = "configs/breast_cancer.yaml"


def add_job_flags(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The flags that `load_job` reads."""
    parser.add_argument(
        "--config", default=_DEFAULT_CONFIG, metavar="FILE", help=f"the job, one YAML file (default: {_DEFAULT_CONFIG})"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override one field: --set model.batch_rows=256"
    )
    parser.add_argument("--input", action="append", metavar="PATH", help="source.paths: file, folder or glob; may be repeated")
    parser.add_argument("--model", metavar="FOLDER", help="model.package")
    parser.add_argument("--output", metavar="FOLDER", help="sink.path")


def load_job(arguments: argparse.Namespace) -> Job:
    """The job as its file and the flags say.

    Raises:
        JobError: it is not valid.
    """
    overrides = [parse_set(text) for text in arguments.set]
    if arguments.input:
        overrides.append(("source.paths", "[" + ", ".join(_quoted(p) for p in arguments.input) + "]"))
    if arguments.model:
        overrides.append(("model.package", _quoted(arguments.model)))
    if arguments.output:
        overrides.append(("sink.path", _quoted(arguments.output)))
    return load(Job, arguments.config, overrides)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # YAML too, in which a single-quoted text would lose its line breaks
