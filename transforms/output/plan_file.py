"""The plan as it is stored: what the launcher froze, and the graph reads.

The graph names the file only, so that its own size does not grow with the input. The file is one
JSON object: `inputs` (url, bytes, version, rows of each file), `ignored_inputs`, `units`, each a
short list that names its input by number (a million units take some 50 MB), and, where rows name
files, `files`: the digest of what is listed of them for each unit. Where small shards are put
together, `units` are the shards, and `together` says for each unit the numbers of those that it has.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
import json
from typing import Any

from configs.errors import InputError
from storage import files
from transforms.batches import WorkUnit
from transforms.unit_members import join_all, list_pieces

# 2 since a unit has one span, whatever its format; before, Parquet and CSV had fields each.
_FORMAT = 2

# An input file as the plan and the manifest list it.
Shard = Mapping[str, Any]


@dataclass(frozen=True)
class StoredPlan:
    """The units in the order of their numbers, and what the manifest says of the input files."""

    units: tuple[WorkUnit, ...]
    inputs: tuple[Shard, ...]
    ignored_inputs: tuple[str, ...]
    # Which version of a table with a log they are of.
    table: Mapping[str, Any] | None = None


def encode_plan(plan: StoredPlan) -> bytes:
    """Return the plan as JSON."""
    # An input is named by its number: its URL may be long, and has many units.
    numbers: dict[str, int] = {}
    for number, entry in enumerate(plan.inputs):
        numbers[entry["url"]] = number
    units = []
    pieces = list_pieces(plan.units)
    for piece in pieces:
        shard = numbers[piece.shard]
        units.append(_encode_unit(piece, shard))
    content: dict[str, Any] = {
        "format": _FORMAT,
        "inputs": plan.inputs,
        "ignored_inputs": plan.ignored_inputs,
        "units": units,
    }
    digests = [piece.files for piece in pieces]
    # A plan of rows that name no files is as it always was.
    if any(digests):
        content["files"] = digests
    if plan.table is not None:
        content["table"] = plan.table
    # Nor one of which no shards are put together.
    together = [[piece.index for piece in unit.members] for unit in plan.units]
    if any(together):
        content["together"] = together
    # Without spaces: a plan may hold a million units.
    text = json.dumps(content, separators=(",", ":"))
    return text.encode()


def read_plan(url: str) -> StoredPlan:
    """Read a stored plan.

    Raises:
        InputError: there is none.
    """
    content = files.read(url)
    if content is None:
        raise InputError(
            f"{url}: the plan is gone; another run may have published and cleaned up; "
            "start the run again"
        )
    stored = json.loads(content)
    units = _decode_units(stored)
    if "together" in stored:
        units = join_all(units, stored["together"])
    return StoredPlan(
        units=tuple(units),
        inputs=tuple(stored["inputs"]),
        ignored_inputs=tuple(stored["ignored_inputs"]),
        table=stored.get("table"),
    )


def _encode_unit(unit: WorkUnit, shard_number: int) -> list[int | None]:
    return [
        shard_number,
        unit.first_row,
        unit.rows,
        unit.bytes,
        *unit.span,
    ]


def _decode_units(stored: Mapping[str, Any]) -> list[WorkUnit]:
    decode: Callable[[int, Shard, Sequence[Any]], WorkUnit] = _decode_old_unit
    if stored.get("format") == _FORMAT:
        decode = _decode_unit
    units = []
    for index, (shard_number, *fields) in enumerate(stored["units"]):
        shard = stored["inputs"][shard_number]
        unit = decode(index, shard, fields)
        if "files" in stored:
            unit = replace(unit, files=stored["files"][index])
        units.append(unit)
    return units


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
