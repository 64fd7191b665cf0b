"""What a job and a model's contract say of the input files, in the words of the formats."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
from pyarrow import DataType

from configs.errors import JobError
from configs.job import AnyJob, Source
from model_zoo.package.card import ModelCard
from model_zoo.steps.load_file import LoadFile
from pipelines.planning.arrow_types import parse_type
from transforms.formats.column import Column
from transforms.formats.format import Format, InputOptions, find_input_format

# By the column's name.
ArrowTypes: TypeAlias = Mapping[str, DataType]


def list_columns(job: AnyJob, card: ModelCard) -> list[str]:
    """Return the names of the columns to read, each once.

    These are the contract's, key and pass-through, others that the job gives a type, for its steps,
    and those of paths and contents of files.

    Args:
        job: the job.
        card: its model's.
    """
    contract = [column.name for column in card.columns]
    source = job.source
    # A step may read what another one has made, but no file from there.
    named_by_steps: list[str] = []
    for step in _list_load_steps(job):
        named_by_steps += (step.column, step.into)
    named = [*contract, *source.carried, *source.types, *named_by_steps]
    # Each once, in this order.
    return list(dict.fromkeys(named))


def plan_columns(
    job: AnyJob,
    card: ModelCard,
    needs_types: bool,
    inferred: ArrowTypes | None = None,
    filtered_by: Sequence[str] = (),
) -> list[Column]:
    """Return those columns with what a shard's type may be.

    Args:
        job: the job.
        card: its model's.
        needs_types: whether files do not tell the types.
        inferred: types of columns in the names of folders, where the job declares these.
        filtered_by: columns that a filter of the input reads, which come last.

    Raises:
        JobError: a type that is missing, or not the contract's.
    """
    source = job.source
    contract = _parse_contract(card)
    types = _add_declared_types(contract, source.types)
    in_folders = inferred or {}
    carried = set(source.carried)
    loads = _list_load_steps(job)
    made = {step.into for step in loads}
    paths = {step.column for step in loads}
    columns = []
    names = [*list_columns(job, card), *filtered_by]
    for name in dict.fromkeys(names):
        dtype = types.get(name)
        is_untold = dtype is None and needs_types
        if is_untold and name in paths:
            # It is what a path can only be.
            dtype = pa.string()
        elif is_untold and name in in_folders:
            dtype = in_folders[name]
        elif is_untold and name not in made:
            kind = source.format.upper()
            raise JobError(
                f"source.types must declare the {kind} column {name!r}, "
                f"for example --set source.types.{name}=int64"
            )
        column = Column(
            name,
            type=dtype,
            castable=name in contract,
            carried=name in carried,
            stated=name in source.types,
        )
        columns.append(column)
    return columns


def make_input_format(source: Source[Any], row_work: int = 0) -> Format:
    """Return how the job's files are read.

    Args:
        source: the job's.
        row_work: what a row costs once it is read, see `InputOptions`.

    Raises:
        JobError: options that no file can be read with.
    """
    # Formats know no pydantic.
    dialect = source.csv.model_dump()
    files = source.files.model_dump()
    options = InputOptions(dialect, source.max_expansion, files, row_work, source.sparse)
    return find_input_format(source.format, options)


def _list_load_steps(job: AnyJob) -> list[LoadFile]:
    steps = job.preprocess.steps
    return [step for step in steps if isinstance(step, LoadFile)]


def _parse_contract(card: ModelCard) -> ArrowTypes:
    types = {}
    for column in card.columns:
        place = f"model.yaml columns {column.name}"
        types[column.name] = parse_type(column.type, place)
    return types


def _add_declared_types(contract: ArrowTypes, declared: Mapping[str, str]) -> ArrowTypes:
    types = dict(contract)
    for name, text in declared.items():
        wanted = parse_type(text, f"source.types.{name}")
        known = types.setdefault(name, wanted)
        # The same type may be said twice; another would make inputs that the model was not trained
        # on.
        if known != wanted:
            raise JobError(
                f"source.types.{name} is {wanted}, but the model's contract says {known}; "
                "leave it out"
            )
    return types
