"""From a Job to a reader: how the listed files are read, and which columns of them and their folders."""

from collections.abc import Sequence
from typing import NamedTuple

from configs.errors import InputError
from configs.job import AnyJob
from model_zoo.package.card import ModelCard
from pipelines.planning.broken_rules import find_broken_rules
from pipelines.planning.columns import plan_columns
from pipelines.planning.filtering import list_filter_columns, prune_files
from pipelines.planning.hive import Types, declare_hive
from pipelines.planning.loads import Loads, list_loads
from pipelines.planning.partitions import with_partitions, with_types
from storage.input_file import InputFile
from transforms.formats.column import Column
from transforms.formats.format import Format
from transforms.formats.read_failures import is_broken


class Reading(NamedTuple):
    """How the input is read, and which columns of it.

    Attributes:
        format: how the rows of files are read.
        loads: which of their columns name files that are read, too.
        wanted: the columns, those that only a filter reads last.
        files: those that are opened.
        pruned: how many others there are, of whose rows none can pass the filter.
    """

    format: Format
    loads: Loads
    wanted: list[Column]
    files: Sequence[InputFile]
    pruned: int


def plan_reading(
    job: AnyJob,
    card: ModelCard,
    listed: Sequence[InputFile],
    files_format: Format,
    has_log: bool = False,
) -> Reading:
    """Return how the input is read, and which columns of it.

    Args:
        job: the job.
        card: its model's.
        listed: all input files; at least one.
        files_format: how the files themselves are read.
        has_log: whether they are those of a table, whose log tells what is in no file.

    Raises:
        JobError: a column without a type, or options that do not go together.
        InputError: the first file cannot be read, or folders that do not agree.
    """
    source = job.source
    inferred = declare_hive(source, listed)
    loads = list_loads(job)
    made = [load.into for load in loads]
    filtered_by = list_filter_columns(source.where, source.format, made)
    wanted = plan_columns(job, card, files_format.needs_types, inferred, filtered_by)
    in_table = [column for column in wanted if column.name not in made]
    files = listed
    pruned = 0
    if inferred is not None and source.where is not None:
        types = _list_folder_types(wanted, inferred, filtered_by)
        files, pruned = prune_files(listed, source.where, types)
    table_format = files_format
    if not has_log:
        most_broken = find_broken_rules(job).count_allowed(len(files))
        # None that nobody reads is opened.
        table_format = _add_partitions(files_format, files, in_table, inferred, most_broken)
    if inferred is not None:
        wanted = with_types(wanted, table_format, inferred)
    return Reading(table_format, loads, wanted, files, pruned)


def _add_partitions(
    format: Format,
    files: Sequence[InputFile],
    wanted: Sequence[Column],
    inferred: Types | None,
    most_broken: int,
) -> Format:
    """Return the format that also reads columns in folders' names, as the first file that is read has it.

    Args:
        format: how the files themselves are read.
        files: those that are opened.
        wanted, inferred: see `with_partitions`.
        most_broken: so many files may be passed over, and are told when all are looked into.
    """
    last = min(most_broken, len(files) - 1)
    for file in files[:last]:
        try:
            return with_partitions(format, file, wanted, inferred)
        except InputError as error:
            if not is_broken(error):
                raise
    return with_partitions(format, files[last], wanted, inferred)


def _list_folder_types(
    wanted: Sequence[Column],
    inferred: Types,
    names: Sequence[str],
) -> Types:
    """Return the types of the named columns that stand in folders' names."""
    types = {}
    for column in wanted:
        if column.name in names and column.name in inferred:
            types[column.name] = column.type or inferred[column.name]
    return types
