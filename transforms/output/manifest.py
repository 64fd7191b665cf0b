"""What a manifest tells of a published run.

When, by whom, what became of the rows of each unit, and every file with its digest.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
import hashlib
import json
from typing import Any

import pyarrow as pa

from storage.layout import RunFolder
from transforms.batches import WrittenPart
from transforms.output.books import ROW_COUNTS
from transforms.output.plan_file import StoredPlan
from transforms.timing import STAGES


def description(
    run: RunFolder,
    parts: Sequence[WrittenPart],
    totals: Mapping[str, int],
    entries: Mapping[str, list[dict[str, Any]]],
) -> dict[str, Any]:
    """Return what is known once the files have their names.

    Args:
        parts: those that are published.
        totals: rows in, scored, filtered, rejected.
        entries: `files` and `rejected_files`.
    """
    workers = Counter(part.worker for part in parts if part.worker)
    return {
        "run_id": run.run_id,
        "published_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "rows": totals,
        "computed_by": sorted({part.placement for part in parts if part.placement}),
        "workers": dict(sorted(workers.items())),
        **_time_spent([part for part in parts if part.stages]),
        "content_sha256": content_sha256(entries["files"] + entries["rejected_files"]),
        **entries,
    }


def books_of_units(plan: StoredPlan, parts: Sequence[WrittenPart]) -> Iterator[dict[str, Any]]:
    """Yield what became of the rows of each unit, in the order of the plan."""
    by_unit: dict[int, Counter[str]] = {}
    for part in parts:
        rows = {name: getattr(part, f"rows_{name}") for name in ROW_COUNTS}
        by_unit.setdefault(part.unit, Counter()).update(rows)
    for unit in plan.units:
        totals = {name: by_unit[unit.index][name] for name in ROW_COUNTS}
        place = {"shard": unit.shard, "span": list(unit.span), "first_row": unit.first_row}
        yield {**place, **totals}


def manifest_text(content: Mapping[str, Any]) -> str:
    """Return a manifest as JSON, one line for each entry of its lists.

    So it can be read and searched line by line.
    """
    lines = [f"{json.dumps(name)}: {_value_text(value)}" for name, value in content.items()]
    return "{\n " + ",\n ".join(lines) + "\n}\n"


def content_sha256(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return one digest for all files of a run: of their names, rows, sizes and digests."""
    lines = sorted(json.dumps(entry, sort_keys=True) for entry in entries)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def describe_schema(schema: pa.Schema) -> list[dict[str, str]]:
    """Return names and types of columns as a manifest holds them."""
    return [{"name": field.name, "type": _type_text(field.type)} for field in schema]


def _time_spent(parts: Sequence[WrittenPart]) -> dict[str, Any]:
    """Return where the time of these parts went.

    `seconds` is the wall clock's, while any of them was worked on.
    """
    stages = {stage: sum(part.stages.get(stage, 0.0) for part in parts) for stage in STAGES}
    total = sum(stages.values()) or 1.0
    seconds = _covered((part.began, part.ended) for part in parts)
    rows = sum(part.rows_in for part in parts)
    return {
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds) if seconds else None,
        "peak_memory_bytes": max((part.peak_memory for part in parts), default=None),
        "stages": {
            stage: {"seconds": round(spent, 6), "share": round(spent / total, 4)}
            for stage, spent in stages.items()
        },
    }


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return how long at least one of the spans lasted.

    Workers side by side count once, and a pause between two launches does not.
    """
    covered, until = 0.0, 0.0
    for began, ended in sorted(spans):
        covered += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return covered


def _value_text(value: Any) -> str:
    has_entries = isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    if not has_entries:
        return json.dumps(value)
    return "[\n  " + ",\n  ".join(json.dumps(entry) for entry in value) + "\n ]"


def _type_text(dtype: pa.DataType) -> str:
    # Parquet forgets what the items of a list were called, so lists are told by their items' type.
    if pa.types.is_fixed_size_list(dtype):
        return f"fixed_size_list<{_type_text(dtype.value_type)}>[{dtype.list_size}]"
    if pa.types.is_list(dtype):
        return f"list<{_type_text(dtype.value_type)}>"
    if pa.types.is_large_list(dtype):
        return f"large_list<{_type_text(dtype.value_type)}>"
    return str(dtype)
