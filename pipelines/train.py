r"""Train a model on labelled rows and write all that scoring needs.

    python -m pipelines.train --data customers.parquet --label churned --key customer_id \\
        --output models/churn/1

What can be found is found in the data: columns, steps for their types, task, labels, split, network.
It is written beside the package, `models/churn/1.train.yaml`, to be edited and run with --config.
This is the moment of trust: the author trains on the author's own rows, with code of the author's.
Whoever scores loads data.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from pipelines.cli.command_line import let_resume, run_program, stop_on_terminate
from pipelines.cli.parser import EXIT_STATUSES, Parser
from pipelines.cli.shutdown import end_process
from pipelines.cli.startup import quick_imports

# Of a parser: adds a flag.
Add: TypeAlias = Callable[..., Any]


def main(argv: Sequence[str]) -> int:
    """Train as the command line says, and return the exit status."""
    let_resume()
    arguments = _parse(argv)
    # What a job is made of takes longer to import than help and a wrong flag take in all.
    with quick_imports():
        from pipelines.training.load_job import load_job

    job = load_job(arguments)
    # What trains takes seconds, which a wrong job does without.
    with quick_imports():
        from pipelines.training.train_model import train_model

    train_model(job, arguments.overwrite, arguments.quiet)
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.train",
        "Train a model on labelled rows; write its package, a job that scores with it, and held-out rows.",
        EXIT_STATUSES,
    )
    _add_data(parser.add_argument)
    _add_model(parser.add_argument)
    return parser.parse_whole(argv)


def _add_data(add: Add) -> None:
    """Add the flags that say which rows, and what is learned of them."""
    data = "labelled rows: Parquet or CSV files, folders, globs; may be repeated"
    add("--data", action="append", metavar="PATH", help=data)
    label = "column to predict; several of 0 and 1, or of numbers: repeat it"
    add("--label", action="append", metavar="COLUMN", help=label)
    add("--key", metavar="COLUMN", help="column that names a row")
    task = "classification, multi_label or regression (default: by the label)"
    add("--task", metavar="WORD", help=task)
    config = "the training job, one YAML file; flags can say it all"
    add("--config", metavar="FILE", help=config)
    override = "override one field: --set training.seed=1"
    add("--set", action="append", default=[], metavar="KEY=VALUE", help=override)


def _add_model(add: Add) -> None:
    """Add the flags that say which model, and where it goes."""
    network = "module:callable, library:name, or one of ours (default: by the columns)"
    add("--network", metavar="NAME", help=network)
    before = "a package to go on from, with new rows"
    add("--from", dest="from_package", metavar="PACKAGE", help=before)
    add("--name", metavar="NAME", help="of the model (default: by --output, models/NAME/VERSION)")
    add("--version", metavar="TEXT", help="of the model (default: by --output)")
    output = "where the package goes (default: the job's output)"
    add("--output", metavar="FOLDER", help=output)
    overwrite = "replace the package and held-out rows that stand there"
    add("--overwrite", action="store_true", help=overwrite)
    quiet = "print nothing but the starter job's path, and errors"
    add("--quiet", action="store_true", help=quiet)
    add("--debug", action="store_true", help="show tracebacks")


if __name__ == "__main__":
    stop_on_terminate()
    end_process(run_program(main))
