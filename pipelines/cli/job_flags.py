"""The flags that name a job and override its fields, alike in every program that takes one."""

import argparse
import json
import sys

from configs.errors import JobError
from configs.load import load, parse_set
from pipelines.cli.command_line import TakesFlags
from pipelines.cli.terminal import make_unicode
from pipelines.planning.jobs import ScoringJob

OLD_CERTIFICATE = "model.certificate is called model.tuning_report now; the old name still works"
_DEFAULT_CONFIG = "configs/breast_cancer.yaml"


def add_job_flags(parser: TakesFlags) -> None:
    """Add the flags that `load_job` reads."""
    config = f"the job, one YAML file (default: {_DEFAULT_CONFIG})"
    parser.add_argument("--config", default=_DEFAULT_CONFIG, metavar="FILE", help=config)
    override = "override one field: --set model.batch_rows=256"
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=override)
    paths = "source.paths: file, folder or glob; may be repeated"
    parser.add_argument("--input", action="append", metavar="PATH", help=paths)
    parser.add_argument("--model", metavar="FOLDER", help="model.package")
    parser.add_argument("--output", metavar="FOLDER", help="sink.path")


def load_job(arguments: argparse.Namespace) -> ScoringJob:
    """Return the job as its file and the flags say.

    Raises:
        JobError: it is not valid.
    """
    overrides = [parse_set(text) for text in arguments.set]
    # After those of --set, so that a flag of its own has the last word.
    if arguments.input:
        quoted = [_quote(path) for path in arguments.input]
        paths = ", ".join(quoted)
        overrides.append(("source.paths", f"[{paths}]"))
    if arguments.model:
        package = _quote(arguments.model)
        overrides.append(("model.package", package))
    if arguments.output:
        output = _quote(arguments.output)
        overrides.append(("sink.path", output))
    return load(ScoringJob, arguments.config, overrides)


def _quote(text: str) -> str:
    if make_unicode(text) != text:
        encoding = sys.getfilesystemencoding().upper()
        raise JobError(f"{text}: this path is not {encoding}; rename the file or folder")
    # JSON is YAML too, in which a single-quoted text would lose its line breaks.
    return json.dumps(text, ensure_ascii=False)
