"""What a manifest tells of a published run.

When, by whom, what became of the rows of each unit, and every file with its digest.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
import hashlib
import io
import json
from typing import Any, TypeAlias

from pyarrow import DataType, Field, Schema
from pyarrow.types import is_fixed_size_list, is_large_list, is_list

from storage.packed import Packed
from storage.run_folder import RunFolder
from transforms.batches import ROW_COUNTS, WorkUnit, WrittenPart
from transforms.output.input_numbers import InputNumbers
from transforms.output.plan_file import StoredPlan
from transforms.shard_counts import add_counts
from transforms.timing import STAGES

# Of a job with a filter of its input: files that were not opened, as no row of theirs could pass.
PRUNED_FILES = "pruned_files"
# Of a job with summaries of its own: the digests of their modules.
SUMMARY_SOURCES = "summary_sources"
# Of a run whose model a server computed: which model of which server.
SERVED_BY = "served_by"
# Before the first entry of a list, before each other, and behind the last.
_LINES = ("[\n  ", ",\n  ", "\n ]")
_ONE_LINE = ("[", ", ", "]")
# As JSON holds it.
Fields: TypeAlias = dict[str, Any]
Figures: TypeAlias = dict[str, float]
NameAndType: TypeAlias = dict[str, str]
Parts: TypeAlias = Sequence[WrittenPart]


def describe_run(
    run: RunFolder,
    parts: Parts,
    totals: Mapping[str, int],
    entries: Mapping[str, list[Fields]],
) -> Fields:
    """Return what is known once the files have their names.

    Args:
        run: the run.
        parts: those that are published.
        totals: rows in, scored, filtered, rejected.
        entries: `files`, `rejected_files`, and where there are any `summary_parts` and
            `rejected_shards`.
    """
    # Done-records of older versions name no worker and hold no times.
    workers = Counter(part.worker for part in parts if part.worker)
    placements = {part.placement for part in parts if part.placement}
    timed = [part for part in parts if part.stages]
    scored = entries["files"]
    rejected = entries["rejected_files"]
    beside = entries.get("summary_parts", []) + entries.get("rejected_shards", [])
    all_files = scored + rejected + beside
    now = datetime.now(UTC)
    return {
        "run_id": run.run_id,
        "published_at": now.isoformat(timespec="milliseconds"),
        "rows": totals,
        "computed_by": sorted(placements),
        "workers": dict(sorted(workers.items())),
        **_describe_time(timed),
        "content_sha256": content_sha256(all_files),
        **entries,
    }


def list_unit_books(
    plan: StoredPlan,
    parts: Parts,
    row_counts: Sequence[str] = ROW_COUNTS,
) -> Iterator[Fields]:
    """Yield what became of the rows of each unit, in the order of the plan.

    Args:
        plan: the plan, every unit of which has a part.
        parts: those that are published; one unit may have several.
        row_counts: what becomes of rows.
    """
    counts_by_unit: dict[int, Counter[str]] = {}
    parts_by_unit: dict[int, list[WrittenPart]] = {}
    numbers = InputNumbers(plan.inputs)
    for part in parts:
        parts_of_unit = parts_by_unit.setdefault(part.unit, [])
        parts_of_unit.append(part)
        nothing: Counter[str] = Counter()
        counts = counts_by_unit.setdefault(part.unit, nothing)
        for name in row_counts:
            rows = getattr(part, f"rows_{name}")
            counts[name] += rows

    for unit in plan.units:
        counts = counts_by_unit[unit.index]
        # Place first, then counts: the order of keys is that of the stored manifest.
        books = _describe_place(unit)
        for name in row_counts:
            books[name] = counts[name]
        if unit.files:
            books["files"] = unit.files
        if len(unit.members) > 1:
            parts_of_unit = parts_by_unit[unit.index]
            books["shards"] = _list_shard_books(unit, parts_of_unit, numbers)
        yield books


def _describe_place(unit: WorkUnit) -> Fields:
    place = unit
    # The piece that a unit has alone says where it is; of several that is in `shards`.
    if len(unit.members) == 1:
        (place,) = unit.members
    return {
        "shard": place.shard,
        "span": list(place.span),
        "first_row": place.first_row,
    }


def _list_shard_books(
    unit: WorkUnit,
    parts: Parts,
    numbers: InputNumbers,
) -> list[list[int]]:
    """Return what became of the rows of each shard of a unit, which is named by its number.

    Args:
        unit: the unit, of several shards.
        parts: those that are published of it.
        numbers: of the manifest's inputs.
    """
    books = []
    counts_of_parts = [part.shards for part in parts]
    # Once, as what is packed is made again each time.
    members = tuple(unit.members)
    for member_number, *counts in add_counts(counts_of_parts):
        member = members[member_number]
        input_number = numbers.find(member.shard)
        books.append([input_number, *counts])
    return books


def encode_manifest(content: Mapping[str, Any]) -> bytes:
    """Return a manifest as JSON, one line for each entry of its lists.

    So it can be read and searched line by line.

    Args:
        content: by name; an iterator of entries becomes a list, and is never all in memory.
    """
    sink = io.BytesIO()
    before = "{\n "
    for name, value in content.items():
        key = json.dumps(name)
        sink.write(f"{before}{key}: ".encode())
        before = ",\n "
        for text in _format_value(value):
            sink.write(text.encode())
    sink.write(b"\n}\n")
    return sink.getvalue()


def content_sha256(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return one digest for all files of a run: of their names, rows, sizes and digests."""
    # Sorted, so that it does not depend on the order of entries, or of the keys in one.
    lines = [json.dumps(entry, sort_keys=True) for entry in entries]
    in_order = sorted(lines)
    text = "\n".join(in_order)
    content = text.encode()
    return hashlib.sha256(content).hexdigest()


def describe_schema(schema: Schema) -> list[NameAndType]:
    """Return names and types of columns as a manifest holds them."""
    return list(map(_describe_column, schema))


def _describe_time(parts: Parts) -> Fields:
    """Return where the time of these parts went.

    `seconds` is the wall clock's, while any of them was worked on.
    """
    seconds = _measure_union(parts)
    rows = sum(part.rows_in for part in parts)
    peaks = [part.peak_memory for part in parts]
    highest = max(peaks, default=None)
    rate = None
    # Without parts, or on a clock that stood still, there is no rate.
    if seconds:
        rate = round(rows / seconds)
    return {
        "seconds": round(seconds, 3),
        "rows_per_second": rate,
        "peak_memory_bytes": highest,
        "stages": _sum_stages(parts),
    }


def _sum_stages(parts: Parts) -> dict[str, Figures]:
    """Return the seconds of each stage, over all workers, and its share of all stages' seconds."""
    seconds_by_stage = {}
    for stage in STAGES:
        # A part of an older version may lack a stage that came later.
        seconds = [part.stages.get(stage, 0.0) for part in parts]
        seconds_by_stage[stage] = sum(seconds)
    # Where no time was spent, every share is 0.
    spent_in_all = sum(seconds_by_stage.values())
    total = spent_in_all or 1.0

    stages = {}
    for stage, spent in seconds_by_stage.items():
        share = spent / total
        stages[stage] = {
            "seconds": round(spent, 6),
            "share": round(share, 4),
        }
    return stages


def _measure_union(parts: Parts) -> float:
    """Return for how many seconds at least one of the parts was worked on.

    Workers side by side count once, and a pause between two launches does not.
    """
    spans = [(part.began, part.ended) for part in parts]
    covered = 0.0
    # Up to here the time is counted.
    until = 0.0
    for began, ended in sorted(spans):
        uncounted_from = max(began, until)
        seconds = ended - uncounted_from
        covered += max(0.0, seconds)
        until = max(until, ended)
    return covered


def _format_value(value: Any) -> Iterator[str]:
    """Yield a value as JSON; a list of objects has each on a line of its own."""
    if not isinstance(value, list | tuple | Packed | Iterator):
        yield json.dumps(value)
        return
    # The plan's inputs come as a tuple or packed, and have always stood in one line.
    may_have_lines = isinstance(value, list | Iterator)
    end = "[]"
    for item in value:
        has_lines = may_have_lines and isinstance(item, dict)
        opening, comma, closing = _LINES if has_lines else _ONE_LINE
        # Of nothing it has not begun.
        before = opening if end == "[]" else comma
        text = json.dumps(item)
        yield f"{before}{text}"
        end = closing
    yield end


def _describe_column(field: Field) -> NameAndType:
    return {
        "name": field.name,
        "type": _describe_type(field.type),
    }


def _describe_type(dtype: DataType) -> str:
    # Parquet forgets what the items of a list were called, so lists are told by their items' type.
    name = _name_list(dtype)
    if name is None:
        return str(dtype)
    items = _describe_type(dtype.value_type)
    described = f"{name}<{items}>"
    if is_fixed_size_list(dtype):
        return f"{described}[{dtype.list_size}]"
    return described


def _name_list(dtype: DataType) -> str | None:
    """Return what a kind of lists is called; None for any other type."""
    if is_fixed_size_list(dtype):
        return "fixed_size_list"
    if is_list(dtype):
        return "list"
    if is_large_list(dtype):
        return "large_list"
    return None
