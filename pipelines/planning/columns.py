"""What a job and a model's contract say of the input files, in the words of the formats."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from configs.errors import JobError
from configs.job import Source
from model_zoo.package.card import ModelCard
from pipelines.planning.arrow_types import parse_type
from pipelines.planning.jobs import ScoringJob
from transforms.formats.format import Column, Format, InputOptions, find_input_format


def list_columns(job: ScoringJob, card: ModelCard) -> list[str]:
    """Return the names of the columns to read, each once.

    These are the contract's, key and pass-through, and others that the job gives a type, for its
    steps.

    Args:
        job: the job.
        card: its model's.
    """
    contract = [column.name for column in card.columns]
    return list(dict.fromkeys([*contract, *job.source.carried, *job.source.types]))


def plan_columns(job: ScoringJob, card: ModelCard, needs_types: bool) -> list[Column]:
    """Return those columns with what a shard's type may be.

    Args:
        job: the job.
        card: its model's.
        needs_types: whether files do not tell the types.

    Raises:
        JobError: a type that is missing, or not the contract's.
    """
    contract = {
        column.name: parse_type(column.type, f"model.yaml columns {column.name}")
        for column in card.columns
    }
    types = _add_declared_types(contract, job.source.types)
    names = list_columns(job, card)
    untyped = [name for name in names if name not in types]
    if needs_types and untyped:
        name, kind = untyped[0], job.source.format.upper()
        raise JobError(
            f"source.types must declare the {kind} column {name!r}, "
            f"for example --set source.types.{name}=int64"
        )
    if needs_types:
        _refuse_unreadable(types, job.source.format)
    carried = set(job.source.carried)
    return [
        Column(
            name,
            types.get(name),
            castable=name in contract,
            carried=name in carried,
            stated=name in job.source.types,
        )
        for name in names
    ]


def make_input_format(source: Source[Any]) -> Format:
    """Return how the job's files are read.

    Raises:
        JobError: options that no file can be read with.
    """
    options = InputOptions(source.csv.model_dump(), source.max_expansion)
    return find_input_format(source.format, options)


def _refuse_unreadable(types: Mapping[str, pa.DataType], format: str) -> None:
    """Refuse a type that no text can be read as."""
    nothing = pa.array([], pa.string())
    for name, dtype in types.items():
        try:
            nothing.cast(dtype)
        except pa.ArrowNotImplementedError as error:
            raise JobError(
                f"source.types.{name}: {dtype} cannot be read from {format.upper()}; "
                "declare a number or string, and convert it in a step"
            ) from error


def _add_declared_types(
    contract: Mapping[str, pa.DataType], declared: Mapping[str, str]
) -> dict[str, pa.DataType]:
    types = dict(contract)
    for name, text in declared.items():
        wanted = parse_type(text, f"source.types.{name}")
        # The same type may be said twice; another would make inputs that the model was not trained
        # on.
        if types.setdefault(name, wanted) != wanted:
            raise JobError(
                f"source.types.{name} is {wanted}, but the model's contract says {types[name]}; "
                "leave it out"
            )
    return types
