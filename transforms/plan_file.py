"""The plan as it is stored: what the launcher froze, and the graph reads, so that the graph's own size does not grow with the input.

One JSON object: `inputs` (url, bytes, version, rows of each file), `ignored_inputs`, and `units`, each a short list that names its
input by number; a million units take some 50 MB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
from typing import Any

from configs.errors import InputError
from storage import files
from transforms.batches import WorkUnit

_UNIT_FIELDS = ("first_row_group", "row_groups", "first_row", "rows", "bytes", "header_bytes", "first_byte")


@dataclass(frozen=True)
class StoredPlan:
    """The units in the order of their numbers, and what the manifest says of the input files."""

    units: tuple[WorkUnit, ...]
    inputs: tuple[Mapping[str, Any], ...]
    ignored_inputs: tuple[str, ...]


def encode_plan(plan: StoredPlan) -> bytes:
    """The plan as JSON."""
    number = {entry["url"]: i for i, entry in enumerate(plan.inputs)}
    units = [[number[u.shard], *(getattr(u, name) for name in _UNIT_FIELDS)] for u in plan.units]
    content = {"inputs": plan.inputs, "ignored_inputs": plan.ignored_inputs, "units": units}
    return json.dumps(content, separators=(",", ":")).encode()


def read_plan(url: str) -> StoredPlan:
    """A stored plan.

    Raises:
        InputError: there is none.
    """
    content = files.read(url)
    if content is None:
        raise InputError(f"{url}: the plan is gone; another run may have published and cleaned up; start the run again")
    stored = json.loads(content)
    units = tuple(_unit(i, stored["inputs"][unit[0]], unit) for i, unit in enumerate(stored["units"]))
    return StoredPlan(units, tuple(stored["inputs"]), tuple(stored["ignored_inputs"]))


def _unit(index: int, shard: Mapping[str, Any], unit: Sequence[Any]) -> WorkUnit:
    return WorkUnit(index, shard["url"], shard["version"], **dict(zip(_UNIT_FIELDS, unit[1:], strict=True)))
