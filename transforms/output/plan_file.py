"""The plan as it is stored: what the launcher froze, and the graph reads.

The graph names the file only, so that its own size does not grow with the input. The file is one
JSON object: `inputs` (url, bytes, version, rows of each file), `ignored_inputs`, `units`, each a
short list that names its input by number (a million units take some 50 MB), and, where rows name
files, `files`: the digest of what is listed of them for each unit. Where small shards are put
together, `units` are the shards, and `together` says for each unit the numbers of those that it has.
Where the job allows broken shards, and there are some, `broken` names them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from configs.errors import InputError
from storage import files
from storage.json_pieces import decode_fields, encode_fields
from storage.packed import pack_many
from transforms.batches import WorkUnit
from transforms.broken_shard import BrokenShard, parse_broken
from transforms.output.input_numbers import InputNumbers, Shard
from transforms.unit_members import iterate_pieces, join_members

# 2 since a unit has one span, whatever its format; before, Parquet and CSV had fields each.
_FORMAT = 2
# Of each there are as many as shards or units.
_LARGE = {"inputs", "ignored_inputs", "units", "files", "together"}
# What is raised of JSON that is no plan.
_BROKEN = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True)
class StoredPlan:
    """The units in the order of their numbers, and what the manifest says of the input files."""

    units: Sequence[WorkUnit]
    inputs: Sequence[Shard]
    ignored_inputs: Sequence[str]
    # Which version of a table with a log they are of.
    table: Mapping[str, Any] | None = None
    # Input files that are left out, as they cannot be read; they are not among the inputs.
    broken: Sequence[BrokenShard] = ()


def encode_plan(plan: StoredPlan) -> bytes:
    """Return the plan as JSON."""
    content: dict[str, Any] = {
        "format": _FORMAT,
        "inputs": plan.inputs,
        "ignored_inputs": plan.ignored_inputs,
        "units": _encode_units(plan),
    }
    # A plan of rows that name no files is as it always was.
    if any(unit.files for unit in plan.units):
        content["files"] = (piece.files for piece in iterate_pieces(plan.units))
    if plan.table is not None:
        content["table"] = plan.table
    if plan.broken:
        content["broken"] = [shard.describe() for shard in plan.broken]
    # Nor one of which no shards are put together.
    if any(unit.members for unit in plan.units):
        content["together"] = map(_list_numbers, plan.units)
    return encode_fields(content)


def read_plan(url: str) -> StoredPlan:
    """Read a stored plan.

    Raises:
        InputError: there is none, or it is broken.
    """
    content = files.read(url)
    if content is None:
        raise InputError(
            f"{url}: the plan is gone; another run may have published and cleaned up; "
            "start the run again"
        )
    try:
        return _decode_plan(decode_fields(content, _LARGE))
    except _BROKEN as error:
        raise InputError(
            f"{url}: is no plan of a run, or is broken; remove the folder that it is in, and run again"
        ) from error


def _decode_plan(stored: Mapping[str, Any]) -> StoredPlan:
    return StoredPlan(
        units=pack_many(_decode_units(stored)),
        inputs=pack_many(stored["inputs"]),
        ignored_inputs=tuple(stored["ignored_inputs"]),
        table=stored.get("table"),
        broken=tuple(map(parse_broken, stored.get("broken", ()))),
    )


def _list_numbers(unit: WorkUnit) -> list[int]:
    """Return the numbers of the pieces that are put together; none of a piece that stands alone."""
    return [piece.index for piece in unit.members]


def _encode_units(plan: StoredPlan) -> Iterator[list[int | None]]:
    # An input is named by its number: its URL may be long, and has many units.
    numbers = InputNumbers(plan.inputs)
    for piece in iterate_pieces(plan.units):
        yield _encode_unit(piece, numbers.find(piece.shard))


def _encode_unit(unit: WorkUnit, shard_number: int) -> list[int | None]:
    return [
        shard_number,
        unit.first_row,
        unit.rows,
        unit.bytes,
        *unit.span,
    ]


def _decode_units(stored: Mapping[str, Any]) -> Iterator[WorkUnit]:
    decode = partial(_decode_piece, stored)
    if "together" not in stored:
        yield from map(decode, range(len(stored["units"])))
        return
    # Unit by unit, as pieces are small only once their unit has packed them.
    for index, numbers_of_unit in enumerate(stored["together"]):
        members = list(map(decode, numbers_of_unit))
        yield join_members(index, members)


def _decode_piece(stored: Mapping[str, Any], index: int) -> WorkUnit:
    """Return a piece of a shard, by its number."""
    decode: Callable[[int, Shard, Sequence[Any]], WorkUnit] = _decode_old_unit
    if stored.get("format") == _FORMAT:
        decode = _decode_unit
    shard_number, *fields = stored["units"][index]
    shard = stored["inputs"][shard_number]
    piece = decode(index, shard, fields)
    if "files" in stored:
        piece = replace(piece, files=stored["files"][index])
    return piece


def _decode_unit(index: int, shard: Shard, fields: Sequence[Any]) -> WorkUnit:
    first_row, rows, size, *span = fields
    return WorkUnit(
        index=index,
        shard=shard["url"],
        version=shard["version"],
        span=tuple(span),
        first_row=first_row,
        rows=rows,
        bytes=size,
    )


def _decode_old_unit(
    index: int,
    shard: Shard,
    fields: Sequence[Any],
) -> WorkUnit:
    """Read a unit of a run that an older version of this program began."""
    first_row_group, row_groups, first_row, rows, size, header_bytes, first_byte = fields
    span: tuple[int, ...]
    if header_bytes:
        # A piece of a CSV file.
        span = (header_bytes, first_byte)
    elif rows is None:
        # A whole CSV file, whose rows only reading tells.
        span = ()
    else:
        span = (first_row_group, row_groups)
    fields_now = (first_row, rows, size, *span)
    return _decode_unit(index, shard, fields_now)
