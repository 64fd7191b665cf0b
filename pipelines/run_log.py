"""What a run says while it goes on and when it ends: to people in plain lines and tables, or to machines in JSON lines on stderr.

Both come from the same facts, and so does the metrics file, which is written last, however a run ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
import sys
import time
from typing import Any, TextIO

from pipelines.json_log import json_line, redacted
from pipelines.metrics_file import RunFacts, write_metrics
from storage.layout import RunFolder

INFO, WARNING, ERROR = "info", "warning", "error"


@dataclass
class RunLog:
    """Where a run's lines go, and what is known of it so far.

    Attributes:
        json: JSON lines instead of text.
        quiet: errors only.
        metrics_file: where to leave the metrics; None for no such file.
        terminal: stderr as the program found it, while `workers_kept_quiet` turns file descriptor 2 away.
    """

    json: bool = False
    quiet: bool = False
    metrics_file: str | None = None
    terminal: TextIO | None = None
    facts: RunFacts = field(default_factory=RunFacts)
    began: float = field(default_factory=time.monotonic)

    @property
    def is_for_people(self) -> bool:
        """Whether tables and plain lines on stdout are wanted."""
        return not self.json and not self.quiet

    @property
    def stderr(self) -> TextIO:
        """Where lines go that are not results."""
        return self.terminal or sys.stderr

    def tell(self, event: str, message: str) -> None:
        """One line in either format."""
        if self.is_for_people:
            print(redacted(message))
        self._event(event, message)

    def planned(self, run: RunFolder, info: Mapping[str, str], rows: int | None, units: int) -> None:
        """What the run will do; `info` says with which model, version and runner."""
        self.facts.info = {"run_id": run.run_id, **info}
        message = f"planned: run {run.run_id}, {'uncounted' if rows is None else f'{rows:,}'} rows in {units:,} units of work"
        self._event("planned", message, **info, rows_in=rows, units=units, output=run.output)

    def resumed(self, rows: int) -> None:
        """How many rows an earlier, interrupted run of the same work has done; nothing where there was none."""
        if rows:
            self._event("resumed", f"resumed: {rows:,} rows were scored by an earlier, interrupted run", rows_scored=rows)

    def progress(self, message: str, rows: int, rows_per_second: float) -> None:
        """How far the run is."""
        if self.json:
            self._event("progress", message, rows_in=rows, rows_per_second=round(rows_per_second))
        elif not self.quiet:
            print(message, file=self.stderr, flush=True)

    def published(self, run: RunFolder, manifest: Mapping[str, Any], seconds: float, resumed_rows: int) -> None:
        """The totals of a run that this launcher published."""
        self.facts.rows_per_second = (manifest["rows"]["in"] - resumed_rows) / max(seconds, 1e-9)
        self.facts.stage_seconds = {stage: entry["seconds"] for stage, entry in manifest["stages"].items()}
        self.facts.peak_memory_bytes = manifest["peak_memory_bytes"]
        fields = {"stage_seconds": self.facts.stage_seconds, "peak_memory_bytes": self.facts.peak_memory_bytes}
        self._stands("published", run, manifest, seconds, rows_per_second=round(self.facts.rows_per_second), **fields)

    def already_published(self, run: RunFolder, manifest: Mapping[str, Any]) -> None:
        """The totals of the same work, published by an earlier run or by another launcher."""
        self._stands("already_published", run, manifest, self._seconds())

    def ended(self, event: str, message: str, exit_status: int, error: str | None = None, trace: str | None = None) -> None:
        """Why nothing was published, as the last line; `error` is the class of the error, `trace` its traceback where it is wanted."""
        if self.json:
            self._write(ERROR, event, message, exit_status=exit_status, seconds=self._seconds(), error=error, traceback=trace)
        else:
            print(redacted(f"{trace or ''}{'error: ' if error else ''}{message}"), file=self.stderr, flush=True)

    def measured(self, exit_status: int) -> None:
        """Leave the metrics file, if one is wanted. A run is as good without, so that only warns, and the status stays."""
        if self.metrics_file is None:
            return
        try:
            write_metrics(self.metrics_file, self.facts, exit_status, time.monotonic() - self.began)
        except Exception as error:  # noqa: BLE001 - whatever it is, what was published stands
            reason = getattr(error, "strerror", None) or error
            self._warning(
                f"{self.metrics_file}: the metrics file was not written: {reason}; the run ended with status {exit_status}"
            )

    def _stands(self, event: str, run: RunFolder, manifest: Mapping[str, Any], seconds: float, **fields: Any) -> None:
        rows, count = manifest["rows"], len(manifest["files"])
        self.facts.published, self.facts.rows, self.facts.files = True, dict(rows), count
        message = (
            f"{event.replace('_', ' ')}: run {run.run_id}, {rows['in']:,} rows in = {rows['scored']:,} scored + "
            f"{rows['filtered']:,} filtered + {rows['rejected']:,} rejected"
        )
        fields |= {f"rows_{outcome}": number for outcome, number in rows.items()}
        self._event(event, message, exit_status=0, seconds=round(seconds, 3), files=count, output=run.published, **fields)

    def _warning(self, message: str) -> None:
        if self.json:
            self._write(WARNING, "metrics_not_written", message)
        else:
            print(redacted(f"warning: {message}"), file=self.stderr, flush=True)

    def _event(self, event: str, message: str, **fields: Any) -> None:
        if self.json and not self.quiet:
            self._write(INFO, event, message, **fields)

    def _write(self, level: str, event: str, message: str, **fields: Any) -> None:
        known = {"job": self.facts.job, "run_id": self.facts.info.get("run_id")}
        print(json_line(level, event, message, **{**known, **fields}), file=self.stderr, flush=True)

    def _seconds(self) -> float:
        return round(time.monotonic() - self.began, 3)
