"""From a Job to a reader: how the listed files are read, and which columns of them and their folders."""

from collections.abc import Sequence
from typing import NamedTuple

from model_zoo.package.card import ModelCard
from pipelines.planning.columns import make_input_format, plan_columns
from pipelines.planning.hive import declare_hive
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.loading import list_loads, with_loads
from pipelines.planning.partitions import with_partitions, with_types
from storage.inputs import InputFile
from transforms.formats.columns import Column
from transforms.formats.format import Format


class Reading(NamedTuple):
    """How the input is read, and which columns of it."""

    format: Format
    wanted: list[Column]


def plan_reading(
    job: ScoringJob,
    card: ModelCard,
    listed: Sequence[InputFile],
    row_work: int,
) -> Reading:
    """Return how the input is read, and which columns of it.

    Args:
        job: the job.
        card: its model's.
        listed: all input files; at least one.
        row_work: what a row costs once it is read, see `InputOptions`.

    Raises:
        JobError: a column without a type, or options that do not go together.
        InputError: the first file cannot be read, or folders that do not agree.
    """
    source = job.source
    files_format = make_input_format(source, row_work)
    inferred = declare_hive(source, listed)
    wanted = plan_columns(job, card, files_format.needs_types, inferred)
    loads = list_loads(job)
    made = {load.into for load in loads}
    in_table = [column for column in wanted if column.name not in made]
    table_format = with_partitions(files_format, listed[0], in_table, inferred)
    if inferred is not None:
        wanted = with_types(wanted, table_format, inferred)
    return Reading(with_loads(table_format, loads), wanted)
