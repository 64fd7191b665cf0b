"""What a person sees of a run: the plan, totals, first rows, and the line that reads them."""

from collections.abc import Mapping, Sequence
import os
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from storage import files
from storage.layout import RunFolder
from transforms.rejected import RejectedBatch

_FIRST_ROWS = 5
# Half a unit of the last digit: less would be shown as 0.
_SHOWN_SECONDS = 0.0005
_SHOWN_CHARACTERS = 30
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
    run: RunFolder, manifest: Mapping[str, Any], seconds: float, resumed_rows: int
) -> str:
    """Return rows in, scored, filtered, rejected, files, seconds, rows/s, and the output's path.

    Args:
        run: the published run.
        manifest: its manifest.
        seconds: how long this launch took.
        resumed_rows: rows that an earlier, interrupted run had done.
    """
    rows = manifest["rows"]
    lines = {name: f"{rows[key]:,}" for name, key in _ROW_LINES.items()}
    lines["files"] = f"{len(manifest['files']):,}"
    lines["seconds"] = f"{seconds:.1f}"
    rate = (rows["in"] - resumed_rows) / max(seconds, _INSTANT_SECONDS)
    lines["rows/s"] = f"{rate:,.0f}"
    lines["computed by"] = "; ".join(manifest["computed_by"])
    lines["output"] = shown_path(run.published)
    if resumed_rows:
        lines["resumed"] = f"{resumed_rows:,} rows were scored by an earlier, interrupted run"
    return table(lines)


def where_time_went(manifest: Mapping[str, Any]) -> str:
    """Return seconds and share of each stage, and what the workers reached, and needed.

    Summed over workers, an interrupted run's too.
    """
    took = []
    for stage, entry in manifest["stages"].items():
        seconds, percent = entry["seconds"], 100 * entry["share"]
        if seconds >= _SHOWN_SECONDS:
            took.append(f"{stage} {_to_duration(seconds)} ({percent:.0f} %)")
    if not took:
        return "where the time went: not known, since all rows were scored by another run"
    memory = f"peak memory {manifest['peak_memory_bytes'] / 1e6:,.0f} MB"
    rate = manifest["rows_per_second"]
    reached = "" if rate is None else f"{rate:,} rows/s without start-up and publishing; "
    return f"where the time went, all workers together: {', '.join(took)}; {reached}{memory}"


def reading_line(run: RunFolder, format: str) -> str:
    """Return the one line that reads the result, on a store too, and whatever is published later.

    Args:
        run: the published run.
        format: of its files.
    """
    path = f"{shown_path(run.published)}/*.{format}"
    reader = "read_csv_auto" if format == "csv" else "read_parquet"
    return f"duckdb: SELECT * FROM {reader}('{path}')"  # noqa: S608 - a line to show


def first_rows(run: RunFolder, manifest: Mapping[str, Any]) -> str:
    """Return the first rows of the first file that has some.

    Args:
        run: the published run.
        manifest: its manifest.
    """
    with_rows = [entry for entry in manifest["files"] if entry["rows"]]
    if not with_rows:
        return "no rows"
    path = with_rows[0]["path"]
    # The first rows only, as the file may be large.
    with files.open_read(f"{run.published}/{path}") as file:
        if path.endswith(".csv"):
            rows = pacsv.open_csv(file).read_next_batch()
        else:
            rows = next(pq.ParquetFile(file).iter_batches(_FIRST_ROWS))
    return shown_rows(pa.Table.from_batches([rows]))


def shown_rows(rows: pa.Table) -> str:
    """Return a few rows as text columns."""
    rows = rows.slice(0, _FIRST_ROWS)
    columns = []
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        cells = [name, *(_to_cell(value) for value in column.to_pylist())]
        width = max(len(cell) for cell in cells)
        columns.append([cell.rjust(width) for cell in cells])
    return "\n".join("  ".join(line) for line in zip(*columns, strict=True))


def rejected_rows(rejected: Sequence[RejectedBatch]) -> str:
    """Return how many rows each stage would reject, and its first reason."""
    lines = []
    for batch in rejected:
        first = batch.rows.slice(0, 1).to_pylist()[0]
        lines.append(
            f"  {batch.rows.num_rows:,} rows would be rejected in {batch.stage}; "
            f"row {first['row']}: {first['error']}: {first['message']}"
        )
    return "\n".join(lines)


def table(lines: Mapping[str, str]) -> str:
    """Return names and values in two columns."""
    width = max(len(name) for name in lines)
    return "\n".join(f"  {name.ljust(width)}  {value}" for name, value in lines.items())


def shown_path(path: str) -> str:
    """Return a path relative to the current folder where it is below it."""
    if path.startswith(os.getcwd() + "/"):
        return os.path.relpath(path)
    return path


def _to_duration(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{seconds:.3f} s"


def _to_cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[: _SHOWN_CHARACTERS - 3]}..."
