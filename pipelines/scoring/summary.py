"""What a person sees of a published run: totals, first rows, and the line that reads them."""

from collections.abc import Mapping, Sequence
import os
from typing import Any, TypeAlias

import pyarrow as pa
from pyarrow import RecordBatch, Table

from pipelines.cli.terminal import make_harmless
from storage.layout import find_scored
from storage.listing_rules import count_by_rule
from storage.run_folder import RunFolder
from transforms.batches import LEFT_OUT, RejectedBatch
from transforms.formats.output import find_output_format
from transforms.output.manifest import PRUNED_FILES

Manifest: TypeAlias = Mapping[str, Any]
Batches: TypeAlias = list[RecordBatch]

_READERS = {"parquet": "read_parquet", "csv": "read_csv_auto", "jsonl": "read_json_auto"}
_FIRST_ROWS = 5
# Half a unit of the last digit: less would be shown as 0.
_SHOWN_SECONDS = 0.0005
_SHOWN_CHARACTERS = 30
_SHOWN_BROKEN = 20
_ELLIPSIS = "..."
# Shorter than any clock tells; nothing is divided by 0.
_INSTANT_SECONDS = 1e-9

# The table's words, and the manifest's.
_ROW_LINES = {
    "rows in": "in",
    "scored": "scored",
    "filtered": "filtered",
    "rejected": "rejected",
}


def final_table(
    run: RunFolder,
    manifest: Manifest,
    seconds: float,
    resumed_rows: int,
) -> str:
    """Return rows, input paths that were left out, files, seconds, rows/s, and the output's path.

    Args:
        run: the published run.
        manifest: its manifest.
        seconds: how long this launch took.
        resumed_rows: rows that an earlier run had done: this one, interrupted, or one that is reused.
    """
    rows = manifest["rows"]
    lines = {}
    for name, key in _ROW_LINES.items():
        count = rows[key]
        lines[name] = f"{count:,}"
    _add_left_out(lines, manifest)
    ignored = manifest["ignored_inputs"]
    lines["left out"] = left_out_paths(ignored)
    # Of a job that allows none there are none.
    if manifest.get("broken_shards"):
        lines["broken"] = broken_shards(manifest["broken_shards"])
    file_count = len(manifest["files"])
    lines["files"] = f"{file_count:,}"
    lines["seconds"] = f"{seconds:.1f}"

    # Of this launch alone: the others cost it no time.
    own_rows = rows["in"] - resumed_rows
    divisor = max(seconds, _INSTANT_SECONDS)
    rate = own_rows / divisor
    lines["rows/s"] = f"{rate:,.0f}"
    placements = manifest["computed_by"]
    lines["computed by"] = "; ".join(placements)
    lines["output"] = shown_path(run.published)
    if resumed_rows:
        lines["resumed"] = f"{resumed_rows:,} rows were scored by an earlier run"
    return table(lines)


def _add_left_out(lines: dict[str, str], manifest: Manifest) -> None:
    """Add what a filter of the input left out, where the job has one."""
    rows = manifest["rows"]
    if LEFT_OUT in rows:
        lines["left out rows"] = f"{rows[LEFT_OUT]:,}, by source.where"
        pruned = manifest.get(PRUNED_FILES, 0)
        if pruned:
            lines["pruned"] = pruned_files(pruned)


def pruned_files(count: int) -> str:
    """Return how many files were not opened, for their folders' names or their table's log alone.

    >>> pruned_files(1), pruned_files(2_000)
    ('1 file that can have no such row, not opened', '2,000 files that can have no such row, not opened')
    """
    word = "file" if count == 1 else "files"
    return f"{count:,} {word} that can have no such row, not opened"


def broken_shards(broken: Sequence[Manifest]) -> str:
    """Return how many shards are broken, what is lost of them, and why the first ones are.

    Args:
        broken: as a manifest has them.
    """
    urls = {shard["url"] for shard in broken}
    lost = sum(shard["rows"] or 0 for shard in broken)
    unknown = sum(shard["rows"] is None for shard in broken)
    count = len(urls)
    word = "shard" if count == 1 else "shards"
    described = f"{count:,} {word}, {lost:,} rows lost"
    if unknown:
        described += f", and of {unknown:,} nobody knows how many"
    told = [shown_reason(shard) for shard in broken[:_SHOWN_BROKEN]]
    more = len(broken) - len(told)
    if more:
        told.append(f"and {more:,} more: see broken_shards in the manifest")
    return "\n".join([described, *told])


def shown_reason(shard: Manifest) -> str:
    """Return why a shard is broken, which names it, in words for a terminal."""
    return make_harmless(str(shard["message"]))


def left_out_paths(urls: Sequence[str]) -> str:
    """Return how many paths under the input's patterns each rule left out.

    >>> left_out_paths(["in/_SUCCESS", "in/_temporary", "in/p.parquet.crc"])
    '3 input paths (1 checksum, 2 hidden)'
    """
    if not urls:
        return "no input path"
    by_rule = count_by_rule(urls)
    counts = [f"{count:,} {rule}" for rule, count in by_rule.items()]
    counted = ", ".join(counts)
    total = len(urls)
    word = "paths"
    if total == 1:
        word = "path"
    return f"{total:,} input {word} ({counted})"


def where_time_went(manifest: Manifest) -> str:
    """Return seconds and share of each stage, and what the workers reached, and needed.

    Summed over workers, an interrupted run's too.
    """
    stages = []
    entries: Manifest = manifest["stages"]
    for stage, entry in entries.items():
        seconds = entry["seconds"]
        if seconds < _SHOWN_SECONDS:
            continue
        duration = _to_duration(seconds)
        percent = 100 * entry["share"]
        described = f"{stage} {duration} ({percent:.0f} %)"
        stages.append(described)
    if not stages:
        return "where the time went: not known, since all rows were scored by another run"

    took = ", ".join(stages)
    rate = manifest["rows_per_second"]
    reached = ""
    if rate is not None:
        reached = f"{rate:,} rows/s without start-up and publishing; "
    megabytes = manifest["peak_memory_bytes"] / 1e6
    memory = f"peak memory {megabytes:,.0f} MB"
    return f"where the time went, all workers together: {took}; {reached}{memory}"


def reading_line(run: RunFolder, manifest: Manifest, format: str) -> str:
    """Return the one line that reads the result, on a store too, and whatever is published later.

    Args:
        run: the published run.
        manifest: its manifest.
        format: of its files.
    """
    scored = find_scored(run, manifest)
    folder = shown_path(scored)
    path = f"'{folder}/*.{format}'"
    # DuckDB reads Arrow IPC with an extension alone.
    if format == "arrow":
        return f"polars: pl.read_ipc({path})"
    if manifest.get("partition_by"):
        path = f"'{folder}/**/*.{format}', hive_partitioning = true"
    reader = _READERS[format]
    return f"duckdb: SELECT * FROM {reader}({path})"  # noqa: S608 - a line to show


def first_rows(run: RunFolder, manifest: Manifest) -> str:
    """Return the first rows of the first file that has some.

    Args:
        run: the published run.
        manifest: its manifest.
    """
    files_of_run = manifest["files"]
    with_rows = [entry for entry in files_of_run if entry["rows"]]
    if not with_rows:
        return "no rows"

    path = with_rows[0]["path"]
    # Files are called by their format.
    _, _, name = path.rpartition(".")
    output_format = find_output_format(name)
    rows = output_format.read_first_rows(f"{run.published}/{path}")
    return shown_rows(rows)


def shown_rows(rows: Table) -> str:
    """Return a few rows as text columns."""
    rows = rows.slice(0, _FIRST_ROWS)
    columns = []
    named = zip(rows.column_names, rows.columns, strict=True)
    for name, column in named:
        values = list(map(_to_cell, column))
        # A line break in it would tear the table apart.
        harmless = make_harmless(name)
        title = harmless.replace("\n", "\\n")
        cells = [title, *values]
        width = max(map(len, cells))
        padded = [cell.rjust(width) for cell in cells]
        columns.append(padded)
    # Columns of cells to lines of cells.
    lines = zip(*columns, strict=True)
    texts = ["  ".join(line) for line in lines]
    return "\n".join(texts)


def rejected_rows(rejected: Sequence[RejectedBatch]) -> str:
    """Return how many rows each stage would reject, and its first reason."""
    by_stage: dict[str, Batches] = {}
    for batch in rejected:
        of_stage = by_stage.setdefault(batch.stage, [])
        of_stage.append(batch.rows)
    lines = []
    for stage, batches in by_stage.items():
        count = sum(rows.num_rows for rows in batches)
        reason = _describe_first(batches[0])
        line = f"  {count:,} rows would be rejected in {stage}; {reason}"
        lines.append(line)
    return "\n".join(lines)


def _describe_first(records: RecordBatch) -> str:
    # The others are not made Python's: there may be thousands.
    first = records.slice(0, 1)
    (record,) = first.to_pylist()
    row = record["row"]
    error = record["error"]
    message = record["message"]
    return f"row {row}: {error}: {message}"


def table(lines: Mapping[str, str]) -> str:
    """Return names and values in two columns."""
    width = max(map(len, lines))
    shown = []
    # As far as names and the spaces around them reach.
    indent = " " * (width + 4)
    for name, value in lines.items():
        padded = name.ljust(width)
        # A value of several lines stands below itself.
        line_end = f"\n{indent}"
        indented = value.replace("\n", line_end)
        line = f"  {padded}  {indented}"
        shown.append(line)
    return "\n".join(shown)


def shown_path(path: str) -> str:
    """Return a path relative to the current folder where it is below it."""
    here = os.getcwd()
    if path.startswith(f"{here}/"):
        return os.path.relpath(path)
    return path


def _to_duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:,.1f} s"
    return f"{seconds:.3f} s"


def _to_cell(scalar: pa.Scalar) -> str:
    value = _to_value(scalar)
    if isinstance(value, float):
        return f"{value:.6g}"
    harmless = make_harmless(str(value))
    text = harmless.replace("\n", "\\n")
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    kept = _SHOWN_CHARACTERS - len(_ELLIPSIS)
    return text[:kept] + _ELLIPSIS


def _to_value(scalar: pa.Scalar) -> Any:
    """Return a value as Python's, or as Arrow's text where Python has no such value.

    Python knows no date after 9999, not every time zone, and no nanoseconds.
    """
    try:
        return scalar.as_py()
    except Exception:  # noqa: BLE001 - each type has its own errors, and a preview has no right to any
        alone = pa.array([scalar])
        words = alone.to_string().split()
        text = " ".join(words)
        return text.strip("[] ")
