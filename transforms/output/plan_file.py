"""The plan as it is stored: what the launcher froze, and the graph reads, so that the graph's own size does not grow with the input.

One JSON object: `inputs` (url, bytes, version, rows of each file), `ignored_inputs`, and `units`, each a
short list that names its input by number; a million units take some 50 MB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
from typing import Any

from configs.errors import InputError
from storage import files
from transforms.batches import WorkUnit

_FORMAT = 2


@dataclass(frozen=True)
class StoredPlan:
    """The units in the order of their numbers, and what the manifest says of the input files."""

    units: tuple[WorkUnit, ...]
    inputs: tuple[Mapping[str, Any], ...]
    ignored_inputs: tuple[str, ...]


def encode_plan(plan: StoredPlan) -> bytes:
    """Return the plan as JSON."""
    number = {entry["url"]: i for i, entry in enumerate(plan.inputs)}
    units = [[number[u.shard], u.first_row, u.rows, u.bytes, *u.span] for u in plan.units]
    content = {
        "format": _FORMAT,
        "inputs": plan.inputs,
        "ignored_inputs": plan.ignored_inputs,
        "units": units,
    }
    return json.dumps(content, separators=(",", ":")).encode()


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
    decode = _decode_unit if stored.get("format") == _FORMAT else _decode_old_unit
    units = tuple(
        decode(index, stored["inputs"][unit[0]], unit[1:])
        for index, unit in enumerate(stored["units"])
    )
    return StoredPlan(units, tuple(stored["inputs"]), tuple(stored["ignored_inputs"]))


def _decode_unit(index: int, shard: Mapping[str, Any], unit: Sequence[Any]) -> WorkUnit:
    first_row, rows, size, *span = unit
    return WorkUnit(index, shard["url"], shard["version"], tuple(span), first_row, rows, size)


def _decode_old_unit(index: int, shard: Mapping[str, Any], unit: Sequence[Any]) -> WorkUnit:
    """Read a unit of a run that an older version of this program began: Parquet and CSV had fields each."""
    first_row_group, row_groups, first_row, rows, size, header_bytes, first_byte = unit
    if header_bytes:
        span: tuple[int, ...] = (header_bytes, first_byte)
    else:
        span = () if rows is None else (first_row_group, row_groups)
    return WorkUnit(index, shard["url"], shard["version"], span, first_row, rows, size)
