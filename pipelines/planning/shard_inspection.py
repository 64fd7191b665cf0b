"""Look into each input file before any worker starts: its rows, and the columns and types that it has.

Files are many and types few, so what is known of one file is kept for those that are like it.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import NamedTuple, TypeAlias

import pyarrow as pa
from pyarrow import DataType, Schema

from configs.errors import InputError
from configs.several_refusals import MOST_REFUSED, RefusedFile, refuse_all
from pipelines.planning.file_batches import map_some
from storage import files
from storage.input_file import InputFile
from storage.packed import Packing, pack_many
from transforms.broken_budget import BrokenRules, check_broken
from transforms.broken_shard import BrokenShard
from transforms.formats.column import Column
from transforms.formats.columns import choose_type, refuse_type
from transforms.formats.format import Format, Shard
from transforms.formats.read_failures import is_broken
from transforms.joined_types import join_types
from transforms.logical_types import storable_type
from transforms.model_types import join_if_decimals

# Of a job that says nothing of them: all that cannot be read are refused.
_NONE_BROKEN = BrokenRules()
# Of the wanted columns, in their order.
_Types: TypeAlias = tuple[DataType, ...]
# The first file that has them in these types.
_FirstWith: TypeAlias = dict[_Types, str]


@dataclass
class _Looked:
    """What looking into some files has told.

    Attributes:
        refused: those that cannot be scored.
        broken: those of them that others are scored without.
    """

    shards: list[Shard] = field(default_factory=list)
    first_with: _FirstWith = field(default_factory=dict)
    refused: list[RefusedFile] = field(default_factory=list)
    broken: list[BrokenShard] = field(default_factory=list)


class Inspected(NamedTuple):
    """What looking into all files has told.

    Attributes:
        shards: `Packed` where they are many.
        schema: the wanted columns with the types that they come out in, see `_settle_type`.
        broken: files that are left out, of a job that allows some.
    """

    shards: Sequence[Shard]
    schema: Schema
    broken: tuple[BrokenShard, ...] = ()


def read_shards(
    listed: Sequence[InputFile],
    format: Format,
    wanted: Sequence[Column],
    rules: BrokenRules = _NONE_BROKEN,
) -> Inspected:
    """Look into each file, and check that it has every wanted column in a type that it may have.

    Args:
        listed: the files, in order; at least one.
        format: how they are read.
        wanted: what each must have.
        rules: how many may be broken.

    Raises:
        InputError: files that are not readable or lack a column, or the first one, in order, that has
            another type.
        BudgetError: more are broken than the job allows.
    """
    inspect = partial(_inspect_some, format, wanted, rules.goes_on)
    most_broken = max(rules.count_allowed(len(listed)), MOST_REFUSED)
    # Alone: where already the first file does not fit, hardly more is read.
    remaining = iter(listed)
    first = inspect([next(remaining)])
    shards: Packing[Shard] = Packing()
    first_with: _FirstWith = {}
    refused: list[RefusedFile] = []
    broken: list[BrokenShard] = []
    # In order, so that the same files are named every time.
    more = map_some(inspect, remaining, on_disk=files.is_local(listed[0].url))
    with closing(more):
        for looked in chain([first], more):
            for shard in looked.shards:
                shards.append(shard)
            for types, url in looked.first_with.items():
                first_with.setdefault(types, url)
            refused += looked.refused
            broken += looked.broken
            if len(refused) >= MOST_REFUSED or len(broken) > most_broken:
                break
    # First: what a disk or store fails at is not lost, and its cause must be mended.
    if refused:
        is_all = len(refused) < MOST_REFUSED
        raise refuse_all(refused[:MOST_REFUSED], is_all)
    check_broken(broken, len(listed), rules, is_all=len(broken) <= most_broken)
    if not shards:
        _refuse_nothing_left(broken)
    return Inspected(pack_many(shards), _settle_types(wanted, first_with), tuple(broken))


def _inspect_some(
    format: Format,
    wanted: Sequence[Column],
    goes_on: bool,
    files_here: Sequence[InputFile],
) -> _Looked:
    """Look into some files, one after the other.

    Args:
        format: how they are read.
        wanted: what each must have.
        goes_on: whether others are scored without those that are broken.
        files_here: the files.
    """
    looked = _Looked()
    schema_before: Schema | None = None
    for file in files_here:
        try:
            shard, schema = format.inspect(file, wanted)
        except InputError as error:
            # Whoever mends files wants to know of all of them.
            if goes_on and is_broken(error):
                looked.broken.append(_describe_broken(file, error))
            else:
                looked.refused.append(RefusedFile(file.url, error))
            continue
        looked.shards.append(shard)
        # A format gives files that are alike the same schema, of which all is known.
        if schema is schema_before:
            continue
        schema_before = schema
        # Not the whole schema: a file may have thousands of columns, and there may be many files.
        fields = [schema.field(column.name) for column in wanted]
        types = tuple(field.type for field in fields)
        looked.first_with.setdefault(types, file.url)
    return looked


def _describe_broken(file: InputFile, error: InputError) -> BrokenShard:
    return BrokenShard(
        shard=file.url,
        stage="plan",
        row=0,
        # Whatever it says of them is as broken as all of it.
        rows=None,
        message=str(error),
        version=file.version,
    )


def _refuse_nothing_left(broken: Sequence[BrokenShard]) -> None:
    """Refuse an input of which no file can be read, however many the job allows."""
    first = broken[:MOST_REFUSED]
    refused = [RefusedFile(shard.shard, InputError(shard.message)) for shard in first]
    raise refuse_all(refused, is_all=len(broken) == len(first))


def _settle_types(wanted: Sequence[Column], first_with: _FirstWith) -> Schema:
    """Return the wanted columns with the one type that each comes out in.

    Args:
        wanted: the columns.
        first_with: files are many and types few, so each combination is looked at once.
    """
    urls = list(first_with.values())
    fields = []
    for number, column in enumerate(wanted):
        types_of_column = [types[number] for types in first_with]
        settled = _settle_type(column, types_of_column, urls)
        fields.append((column.name, settled))
    return pa.schema(fields)


def _settle_type(
    column: Column,
    types: Sequence[DataType],
    urls: Sequence[str],
) -> DataType:
    """Return the one type that a column comes out in, whatever the physical form of each shard.

    Where all shards have the same, it is that, exactly; where they differ in form alone, it is a form
    that holds all of them. What is not carried has the declared type, as the model was trained with it.

    Args:
        column: the column, with the type that somebody declared.
        types: those that the files have.
        urls: a file that has each.

    Raises:
        InputError: the first file whose type is not that of those before it.
    """
    declared = choose_type(column, types)
    if declared is not None:
        return declared
    settled = types[0]
    for url, actual in zip(urls, types, strict=True):
        joined = join_types(settled, actual) or join_if_decimals(settled, actual)
        if joined is None:
            wanted = replace(column, type=settled)
            raise refuse_type(url, wanted, actual)
        settled = joined
    return storable_type(settled)
