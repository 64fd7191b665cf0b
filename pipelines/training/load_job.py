"""The training job that flags name, read from its file, made of the flags alone, or found beside a package."""

import argparse

from configs.errors import JobError
from configs.load import Override, load, parse_set
from pipelines.cli.yaml_words import to_yaml, to_yaml_list
from pipelines.training.fitting_job import FittingJob
from pipelines.training.job_beside import find_job_beside

# Flags that are one field of the job each.
_FIELDS = {
    "key": "data.key",
    "task": "task",
    "network": "network.builder",
    "name": "name",
    "output": "output",
}


def load_job(arguments: argparse.Namespace) -> FittingJob:
    """Return the job as its file and the flags say, which names rows, and a place for the package.

    Raises:
        JobError: it is not valid, or leaves these out.
    """
    job = _load(arguments)
    _ask_for_places(job)
    return job


def _load(arguments: argparse.Namespace) -> FittingJob:
    """Return the job of the command line; of a package that is trained further, the one beside it."""
    config = arguments.config
    overrides: list[Override] = []
    if arguments.from_package is not None:
        beside, overrides = find_job_beside(arguments.from_package)
        if config is None:
            config = beside
        else:
            # The file says what it wants to be taken over.
            overrides = overrides[-1:]
    return load(FittingJob, config, [*overrides, *_list_overrides(arguments)])


def _ask_for_places(job: FittingJob) -> None:
    """Ask for rows and output, of which nothing else can tell.

    Raises:
        JobError: all that is missing of them.
    """
    data = job.data
    needed = []
    if not data.paths and data.dataset is None:
        needed.append("data.paths (--data): Parquet or CSV files with labelled rows")
    if not job.output:
        needed.append("output (--output): a folder for the package, models/churn/1 for example")
    # What only the rows could tell more of is asked with them.
    if needed and not data.label:
        needed.append("data.label (--label): the column that is learned")
    if needed and data.key is None:
        needed.append("data.key (--key): the column that names a row")
    if needed:
        raise JobError(f"is needed: {'; '.join(needed)}")


def _list_overrides(arguments: argparse.Namespace) -> list[Override]:
    said = [parse_set(text) for text in arguments.set]
    overrides = []
    fields = [field for field, _ in said]
    if arguments.output is not None or "output" in fields:
        # What stands in the file goes with the file's own output, whose test rows must stay.
        overrides.append(("held_out", "null"))
    if arguments.data:
        # Rows of one's own take the place of a bundled data set's.
        overrides.append(("data.dataset", "null"))
        overrides.append(("data.paths", to_yaml_list(arguments.data)))
    if arguments.label:
        overrides.append(("data.label", to_yaml_list(arguments.label)))
    for flag, field in _FIELDS.items():
        value = getattr(arguments, flag)
        if value is not None:
            overrides.append((field, to_yaml(value)))
    if arguments.version is not None:
        overrides.append(("version", to_yaml(arguments.version)))
    # Last: what is said in so many words counts most.
    return [*overrides, *said]
