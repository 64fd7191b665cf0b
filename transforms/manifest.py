"""What a manifest tells of a published run: when, by whom, what became of the rows of each unit, and every file with its digest."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
import hashlib
import json
from typing import Any

import pyarrow as pa

from storage.layout import RunFolder
from transforms.batches import WrittenPart
from transforms.plan_file import StoredPlan
from transforms.timing import STAGES

ROW_COUNTS = ("in", "scored", "filtered", "rejected")


def description(
    run: RunFolder, parts: Sequence[WrittenPart], totals: dict[str, int], entries: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """What is known once the files have their names."""
    return {
        "run_id": run.run_id,
        "published_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "rows": totals,
        "computed_by": sorted({p.placement for p in parts if p.placement}),
        "workers": dict(sorted(Counter(p.worker for p in parts if p.worker).items())),
        **_time_spent([p for p in parts if p.stages]),
        "content_sha256": content_sha256(entries["files"] + entries["rejected_files"]),
        **entries,
    }


def books_of_units(plan: StoredPlan, parts: Sequence[WrittenPart]) -> Iterator[dict[str, Any]]:
    """What became of the rows of each unit."""
    of_unit: dict[int, Counter[str]] = {}
    for part in parts:
        of_unit.setdefault(part.unit, Counter()).update({name: getattr(part, f"rows_{name}") for name in ROW_COUNTS})
    for unit in plan.units:
        where = {
            "shard": unit.shard,
            "first_row_group": unit.first_row_group,
            "row_groups": unit.row_groups,
            "first_row": unit.first_row,
        }
        yield {**where, **{name: of_unit[unit.index][name] for name in ROW_COUNTS}}


def _time_spent(parts: Sequence[WrittenPart]) -> dict[str, Any]:
    """Where the time of these parts went; `seconds` is the wall clock's, while any of them was worked on."""
    stages = {stage: sum(p.stages.get(stage, 0.0) for p in parts) for stage in STAGES}
    total = sum(stages.values()) or 1.0
    seconds = _covered((p.began, p.ended) for p in parts)
    return {
        "seconds": round(seconds, 3),
        "rows_per_second": round(sum(p.rows_in for p in parts) / seconds) if seconds else None,
        "peak_memory_bytes": max((p.peak_memory for p in parts), default=None),
        "stages": {stage: {"seconds": round(s, 6), "share": round(s / total, 4)} for stage, s in stages.items()},
    }


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """How long at least one of the spans lasted: workers side by side count once, and a pause between two launches does not."""
    covered, until = 0.0, 0.0
    for began, ended in sorted(spans):
        covered += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return covered


def manifest_text(content: dict[str, Any]) -> str:
    """A manifest as JSON, one line for each entry of its lists, so that it can be read and searched line by line."""

    def text(value: Any) -> str:
        entries = isinstance(value, list) and value and isinstance(value[0], dict)
        return "[\n  " + ",\n  ".join(json.dumps(v) for v in value) + "\n ]" if entries else json.dumps(value)

    return "{\n " + ",\n ".join(f"{json.dumps(name)}: {text(value)}" for name, value in content.items()) + "\n}\n"


def content_sha256(entries: Sequence[dict[str, Any]]) -> str:
    """One digest for all files of a run: of their names, rows, sizes and digests."""
    lines = sorted(json.dumps(e, sort_keys=True) for e in entries)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def describe_schema(schema: pa.Schema) -> list[dict[str, str]]:
    """Names and types of columns as a manifest holds them.

    Parquet forgets what the items of a list were called, so lists are told by the type of their items.
    """
    return [{"name": field.name, "type": _type_text(field.type)} for field in schema]


def _type_text(dtype: pa.DataType) -> str:
    if pa.types.is_fixed_size_list(dtype):
        return f"fixed_size_list<{_type_text(dtype.value_type)}>[{dtype.list_size}]"
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype):
        return f"{'large_' if pa.types.is_large_list(dtype) else ''}list<{_type_text(dtype.value_type)}>"
    return str(dtype)
