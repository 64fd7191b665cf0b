"""What a run says while it goes on and when it ends.

To people in plain lines and tables, or to machines in JSON lines on stderr. Both come from the same
facts, and so does the metrics file, which is written last, however a run ends.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
import sys
import time
from typing import Any, TextIO, TypeAlias

from pipelines.cli.log_format import json_line, redacted
from pipelines.cli.run_facts import RunFacts
from pipelines.cli.run_totals import (
    TOLD_BROKEN,
    Manifest,
    describe_totals,
    list_broken,
    list_totals,
)
from pipelines.cli.terminal import make_harmless, write_text
from storage.listing_rules import count_by_rule
from storage.run_folder import RunFolder

INFO = "info"
WARNING = "warning"
ERROR = "error"
# Of a line, beside time, level, event and message.
Fields: TypeAlias = Mapping[str, Any]
# Model, version and runner of a run.
Info: TypeAlias = Mapping[str, str]
# Shorter than any clock tells; nothing is divided by 0.
_INSTANT_SECONDS = 1e-9


@dataclass
class RunLog:
    """Where a run's lines go, and what is known of it so far.

    Attributes:
        json: JSON lines instead of text.
        quiet: errors only.
        metrics_file: where to leave the metrics; None for no such file.
        terminal: stderr as the program found it, while `workers_kept_quiet` turns file descriptor 2
            away.
        describe_left: says what an interruption costs, once a run has begun.
    """

    json: bool = False
    quiet: bool = False
    metrics_file: str | None = None
    terminal: TextIO | None = None
    facts: RunFacts = field(default_factory=RunFacts)
    began: float = field(default_factory=time.monotonic)
    describe_left: Callable[[], str] | None = None
    _lost: set[str] = field(default_factory=set)

    @property
    def is_for_people(self) -> bool:
        """Tell whether tables and plain lines on stdout are wanted."""
        return not self.json and not self.quiet

    @property
    def stderr(self) -> TextIO:
        """Return where lines go that are not results."""
        return self.terminal or sys.stderr

    def say(self, text: str) -> None:
        """Say something to people, on stdout."""
        self._say_on("stdout", text)

    def say_aside(self, text: str) -> None:
        """Say something that is no result, on stderr."""
        self._say_on("stderr", text)

    def tell_trouble(self, event: str, message: str) -> None:
        """Say one line of what went wrong without changing how the run ends.

        Args:
            event: what happened, in a word that a machine looks for.
            message: the same for people.
        """
        if self.json:
            self._write(WARNING, event, message)
        else:
            self.say_aside(f"warning: {message}")

    def tell(self, event: str, message: str) -> None:
        """Say one line.

        Args:
            event: what happened, in a word that a machine looks for.
            message: the same for people.
        """
        if self.is_for_people:
            self.say(message)
        self._tell_machines(event, message)

    def tell_plan(
        self,
        run: RunFolder,
        info: Info,
        rows: int | None,
        units: int,
        ignored: Sequence[str],
    ) -> None:
        """Say what the run will do.

        Args:
            run: the run.
            info: with which model, version and runner.
            rows: input rows; None when only reading tells.
            units: units of work.
            ignored: input paths that rules left out.
        """
        self.facts.info = {"run_id": run.run_id, **info}
        count = "uncounted"
        if rows is not None:
            count = f"{rows:,}"
        message = f"planned: run {run.run_id}, {count} rows in {units:,} units of work"
        fields: dict[str, Any] = {
            "rows_in": rows,
            "units": units,
            "output": run.output,
        }
        fields["inputs_left_out"] = count_by_rule(ignored)
        self._tell_machines("planned", message, **info, **fields)

    def tell_broken(self, broken: Sequence[Fields]) -> None:
        """Say which shards are left out, as they cannot be read.

        Args:
            broken: as a manifest has them.
        """
        told = [str(shard["message"]) for shard in broken[:TOLD_BROKEN]]
        more = len(broken) - len(told)
        if more:
            told.append(f"and {more:,} more")
        are = "shard is" if len(broken) == 1 else "shards are"
        reasons = "; ".join(told)
        message = f"{len(broken):,} broken {are} left out: {reasons}"
        self.tell_trouble("broken_shards", message)

    def tell_resumed(self, rows: int) -> None:
        """Say how many rows were done before: interrupted, or in a run that is reused; if any."""
        if rows:
            message = f"resumed: {rows:,} rows were scored by an earlier run"
            self._tell_machines("resumed", message, rows_scored=rows)

    def tell_progress(
        self,
        message: str,
        rows: int,
        rows_per_second: float,
    ) -> None:
        """Say how far the run is.

        Args:
            message: all of it, for people.
            rows: rows done.
            rows_per_second: since this launch.
        """
        if self.json:
            rate = round(rows_per_second)
            self._tell_machines("progress", message, rows_in=rows, rows_per_second=rate)
        elif not self.quiet:
            self.say_aside(message)

    def tell_published(
        self,
        run: RunFolder,
        manifest: Manifest,
        seconds: float,
        resumed_rows: int,
    ) -> None:
        """Say the totals of a run that this launcher published.

        Args:
            run: the run.
            manifest: its manifest.
            seconds: how long it took.
            resumed_rows: rows that an earlier run had done: this one, interrupted, or one that is reused.
        """
        # Of this launch alone: the others cost it no time.
        own_rows = manifest["rows"]["in"] - resumed_rows
        rate = own_rows / max(seconds, _INSTANT_SECONDS)
        stages = manifest["stages"]
        stage_seconds = {stage: entry["seconds"] for stage, entry in stages.items()}
        peak_memory_bytes = manifest["peak_memory_bytes"]

        facts = self.facts
        facts.rows_per_second = rate
        facts.stage_seconds = stage_seconds
        facts.peak_memory_bytes = peak_memory_bytes
        fields = {
            "rows_per_second": round(rate),
            "stage_seconds": stage_seconds,
            "peak_memory_bytes": peak_memory_bytes,
        }
        self._tell_totals("published", run, manifest, seconds, fields)

    def tell_already_published(
        self,
        run: RunFolder,
        manifest: Manifest,
    ) -> None:
        """Say the totals of the same work, published by an earlier run or by another launcher.

        Args:
            run: the run.
            manifest: its manifest.
        """
        seconds = self._count_seconds()
        self._tell_totals("already_published", run, manifest, seconds, {})

    def tell_monitor(self, manifest: Manifest) -> None:
        """Say what the run's monitor found: each warning to people, and all of it to machines.

        Args:
            manifest: the run's, or what will be that of one that is held back.
        """
        monitor = manifest.get("monitor")
        if monitor is None:
            return
        findings = monitor["findings"]
        levels = [finding["level"] for finding in findings]
        self.facts.findings = {level: levels.count(level) for level in ("hold", "warn")}
        compared = monitor["reference"]["says"]
        for finding in findings:
            # Whoever wants errors only wants to know of what may become one.
            if finding["level"] != "note" or not self.quiet:
                self._tell_finding(finding)
        # That there was nothing to compare with is said already.
        if monitor["verdict"] == "clean" and monitor["reference"]["kind"] != "none":
            self.tell("monitor", f"monitor: clean, compared with {compared}")

    def _tell_finding(self, finding: Fields) -> None:
        level = finding["level"]
        message = f"monitor: {finding['says']}"
        if self.json:
            severity = INFO if level == "note" else WARNING
            # The word for how bad a line is is taken.
            names = [name for name in finding if name not in ("level", "says")]
            fields = {name: finding[name] for name in names}
            self._write(severity, "finding", message, finding=level, **fields)
        # What holds a run back is told by the line that the program ends with.
        elif level == "warn":
            self.say_aside(f"warning: {message}")
        elif level == "note":
            self.say(message)

    def tell_end(
        self,
        event: str,
        message: str,
        exit_status: int,
        error: str | None = None,
        trace: str | None = None,
    ) -> None:
        """Say why nothing was published, as the last line.

        Args:
            event: how it ended.
            message: why.
            exit_status: of the process.
            error: class of the error.
            trace: its traceback where that is wanted.
        """
        if self.json:
            seconds = self._count_seconds()
            fields = {"exit_status": exit_status, "seconds": seconds, "error": error}
            self._write(ERROR, event, message, **fields, traceback=trace)
            return
        word = "error: " if error else ""
        before = trace or ""
        self.say_aside(f"{before}{word}{message}")

    def prepare_metrics(self) -> None:
        """Import what writes the metrics file, if one is wanted.

        Other programs start without it. At the end it may be too late: a signal ends a program amid other imports too.
        """
        if self.metrics_file is not None:
            import_module("pipelines.cli.metrics_file")

    def write_metrics(self, exit_status: int) -> None:
        """Leave the metrics file, if one is wanted.

        A run is as good without, so that only warns, and the status stays.
        """
        if self.metrics_file is None:
            return
        seconds = time.monotonic() - self.began
        try:
            # Imported by `prepare_metrics`, and by no program that writes no such file.
            from pipelines.cli.metrics_file import write_metrics

            write_metrics(self.metrics_file, self.facts, exit_status, seconds)
        except Exception as error:  # noqa: BLE001 - whatever it is, what was published stands
            reason = getattr(error, "strerror", None) or error
            self.tell_trouble(
                "metrics_not_written",
                f"{self.metrics_file}: the metrics file was not written: {reason}; "
                f"the run ended with status {exit_status}",
            )

    def _tell_totals(
        self,
        event: str,
        run: RunFolder,
        manifest: Manifest,
        seconds: float,
        fields: Fields,
    ) -> None:
        rows = manifest["rows"]
        # Here, and not by whoever publishes: a run that stands is a success, whoever made it.
        facts = self.facts
        facts.published = True
        facts.run = run
        facts.rows = dict(rows)
        facts.files = len(manifest["files"])
        broken = list_broken(manifest)
        if broken is not None:
            facts.broken_shards = len(broken)

        message = describe_totals(event, run, manifest)
        totals = list_totals(run, manifest, seconds)
        by_outcome = {f"rows_{outcome}": number for outcome, number in rows.items()}
        self._tell_machines(event, message, **totals, **fields, **by_outcome)
        self.tell_monitor(manifest)

    def _tell_machines(self, event: str, message: str, **fields: Any) -> None:
        if self.json and not self.quiet:
            self._write(INFO, event, message, **fields)

    def _write(self, level: str, event: str, message: str, **fields: Any) -> None:
        facts = self.facts
        # In every line, so that lines of several runs can be told apart.
        known = {"job": facts.job, "run_id": facts.info.get("run_id")}
        line = json_line(level, event, message, **{**known, **fields})
        self._put("stderr", line)

    def _say_on(self, name: str, text: str) -> None:
        harmless = make_harmless(redacted(text))
        self._put(name, harmless)

    def _put(self, name: str, text: str) -> None:
        """Write on stdout or stderr; that this cannot be done is said once, on the other one."""
        stream = self.stderr
        if name == "stdout":
            stream = sys.stdout
        error = write_text(stream, text)
        # Tried again each time, as a disk may have room again.
        if error is None or name in self._lost:
            return
        self._lost.add(name)
        reason = getattr(error, "strerror", None) or error
        message = (
            f"{name}: cannot be written: {reason}; the program goes on, and its exit status tells "
            f"how it ends; make room, or let {name} lead elsewhere"
        )
        other = "stdout"
        if name == "stdout":
            other = "stderr"
        if self.json:
            line = json_line(WARNING, "log_not_written", message)
            self._put(other, line)
        else:
            self._say_on(other, f"warning: {message}")

    def _count_seconds(self) -> float:
        seconds = time.monotonic() - self.began
        return round(seconds, 3)
