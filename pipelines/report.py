"""What a person sees of a run: the plan, the final table, the first rows, and the line that reads the result."""

from collections.abc import Mapping, Sequence
import os
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from pipelines.plan import Plan
from storage import files
from storage.layout import RunFolder
from transforms.rejected import FailedBatch

_FIRST_ROWS = 5
_SHOWN_SECONDS = 0.0005


def final_table(run: RunFolder, manifest: Mapping[str, Any], seconds: float, resumed_rows: int) -> str:
    """Rows in, scored, filtered, rejected, files, seconds, rows/s, output path."""
    rows = manifest["rows"]
    lines = {
        "rows in": f"{rows['in']:,}",
        "scored": f"{rows['scored']:,}",
        "filtered": f"{rows['filtered']:,}",
        "rejected": f"{rows['rejected']:,}",
        "files": f"{len(manifest['files']):,}",
        "seconds": f"{seconds:.1f}",
        "rows/s": f"{(rows['in'] - resumed_rows) / max(seconds, 1e-9):,.0f}",
        "computed by": "; ".join(manifest["computed_by"]),
        "output": shown_path(run.published),
    }
    if resumed_rows:
        lines["resumed"] = f"{resumed_rows:,} rows were scored by an earlier, interrupted run"
    return table(lines)


def where_time_went(manifest: Mapping[str, Any]) -> str:
    """Seconds and share of each stage, summed over workers, an interrupted run's too; and what the workers reached, and needed."""
    took = {stage: entry for stage, entry in manifest["stages"].items() if entry["seconds"] >= _SHOWN_SECONDS}
    if not took:
        return "where the time went: not known, since all rows were scored by another run"
    stages = ", ".join(f"{stage} {_duration(entry['seconds'])} ({100 * entry['share']:.0f} %)" for stage, entry in took.items())
    memory = f"peak memory {manifest['peak_memory_bytes'] / 1e6:,.0f} MB"
    rate = manifest["rows_per_second"]
    speed = "" if rate is None else f"{rate:,} rows/s without start-up and publishing; "
    return f"where the time went, all workers together: {stages}; {speed}{memory}"


def reading_line(output: str, format: str) -> str:
    """The one line that reads the result."""
    path = f"{shown_path(output)}/current/*.{format}"
    reader = "read_csv_auto" if format == "csv" else "read_parquet"
    return f"duckdb: SELECT * FROM {reader}('{path}')"  # noqa: S608 - a line to show, with the user's own path


def first_rows(run: RunFolder, manifest: Mapping[str, Any]) -> str:
    """The first rows of the first file that has some."""
    entry = next((e for e in manifest["files"] if e["rows"]), None)
    if entry is None:
        return "no rows"
    with files.open_read(f"{run.published}/{entry['path']}") as file:
        if entry["path"].endswith(".csv"):
            return shown_rows(pa.Table.from_batches([pacsv.open_csv(file).read_next_batch()]))
        return shown_rows(pa.Table.from_batches([next(pq.ParquetFile(file).iter_batches(_FIRST_ROWS))]))


def shown_rows(rows: pa.Table) -> str:
    """A few rows as text columns."""
    rows = rows.slice(0, _FIRST_ROWS)
    columns = [[name, *(_cell(v) for v in rows.column(i).to_pylist())] for i, name in enumerate(rows.column_names)]
    widths = [max(len(cell) for cell in column) for column in columns]
    return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in zip(*columns, strict=True))


def rejected_rows(failed: Sequence[FailedBatch]) -> str:
    """How many rows a stage would reject, and the first reason."""
    lines = []
    for batch in failed:
        first = batch.rows.slice(0, 1).to_pylist()[0]
        lines.append(
            f"  {batch.rows.num_rows:,} rows would be rejected in {batch.stage}; row {first['row']}: {first['error']}: {first['message']}"
        )
    return "\n".join(lines)


def plan_table(plan: Plan) -> str:
    """What a run would do."""
    job, card = plan.job, plan.package.card
    rows = plan.rows
    lines = {
        "job": job.name,
        "run id": plan.run.run_id,
        "input": f"{len(plan.shards):,} {job.source.format} files, {sum(s.file.bytes for s in plan.shards):,} bytes, "
        + (f"{rows:,} rows" if rows is not None else "rows counted while reading"),
        "ignored": f"{len(plan.ignored):,} files (hidden, _SUCCESS, .crc)",
        "units": f"{len(plan.units):,} of at most {job.sink.rows_per_file:,} rows; batches of {plan.rows_per_batch:,}, mini-batches of {plan.speed.settings.batch_rows:,}",
        "model": f"{card.name} {card.version} ({plan.package.digest[:12]}), {job.model.device} {plan.speed.settings}",
        "preprocess": " -> ".join(step.step for step in plan.steps),
        "columns out": ", ".join(f"{f.name}: {f.type}" for f in plan.file_format.schema),
        "output": shown_path(plan.run.output),
    }
    return table(lines)


def table(lines: Mapping[str, str]) -> str:
    """Names and values in two columns."""
    width = max(len(name) for name in lines)
    return "\n".join(f"  {name.ljust(width)}  {value}" for name, value in lines.items())


def shown_path(path: str) -> str:
    """A path relative to the current folder where it is below it."""
    if path.startswith(os.getcwd() + "/"):
        return os.path.relpath(path)
    return path


def _duration(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{seconds:.3f} s"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= 30 else f"{text[:27]}..."
