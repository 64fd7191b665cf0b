"""Which texts are read as a dictionary and numbers, as Parquet mostly stores them.

Of a column whose category alone counts, each text is then looked at once, and not once in every row.
"""

from collections.abc import Sequence

import pyarrow as pa
from pyarrow import Field, Schema

from model_zoo.steps.categories import find_categories, has_dictionary_type
from model_zoo.steps.table import AnyStep
from pipelines.planning.jobs import ScoringJob
from transforms.formats.format import Format, KeepsDictionaries, Shard

# Arrow ends a batch where a dictionary ends, which is with its row group. Smaller batches cost more
# than texts do.
_FEWEST_ROWS_OF_A_GROUP = 8192


def keep_dictionaries(
    job: ScoringJob,
    schema: Schema,
    reader: Format,
    shards: Sequence[Shard],
    steps: Sequence[AnyStep],
) -> Schema:
    """Return the schema in which a run's rows are read, with dictionaries where they pay.

    Args:
        job: the job.
        schema: the columns that are read, as the files have them.
        reader: how they are read.
        shards: the files.
        steps: all of the run, complete.
    """
    if _shows_types(job) or not isinstance(reader, KeepsDictionaries):
        return schema
    if not _has_large_groups(shards):
        return schema
    # What is carried to the output is read as it will be written.
    names = find_categories(steps).difference(job.source.carried)
    fields = []
    for field in schema:
        is_category = field.name in names
        fields.append(_keep(field) if is_category else field)
    return pa.schema(fields)


def _shows_types(job: ScoringJob) -> bool:
    """Tell whether columns are looked at, or recorded, beside the model: in the types of the files."""
    looks_at_values = bool(job.checks or job.monitor.summaries)
    return looks_at_values or job.errors.store_values


def _has_large_groups(shards: Sequence[Shard]) -> bool:
    """Tell whether row groups have so many rows, taken together, that their ends make no small batches."""
    # A shard's details are its row groups.
    groups_of_shards = [len(shard.details) for shard in shards]
    rows_of_shards = [shard.rows or 0 for shard in shards]
    least_rows = sum(groups_of_shards) * _FEWEST_ROWS_OF_A_GROUP
    return sum(rows_of_shards) >= least_rows


def _keep(field: Field) -> Field:
    """Return the field as it is kept in a dictionary; as it is, where it is no text."""
    in_dictionary = pa.dictionary(pa.int32(), field.type)
    if not has_dictionary_type(in_dictionary):
        return field
    return field.with_type(in_dictionary)
