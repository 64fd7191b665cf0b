"""One workload, several programs that do it: run them side by side, compare their answers, and say how fast each was.

    prepare -> [ contender, contender, ... ] x repeats -> compare answers -> table, figures for JSON

Every run is a process of its own, so seconds and peak memory are its own. Runs are interleaved, and a ratio is the median over the
repeats of ratios of neighbours: a machine that is slow for a minute slows both. `seconds` is the whole process with its imports;
`work` is what the process itself says it took. Slow is no failure; a wrong answer is one (exit status 1).

A process starts with the peak memory of the one that forks it, so this one imports pyarrow and numpy but never torch or Beam.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import os
from pathlib import Path
import re
import shutil
from statistics import median
import subprocess
import sys
import time

from tests.benchmarks.answers import Agreement, check_answers

ROOT = Path(__file__).parents[2]
Figures = dict[str, object]
_SHOWN_LINES = 60


@dataclass(frozen=True)
class Shards:
    """Input of a run: `rows` rows in `files` files below a workload's folder, named after both; beside them lies the package."""

    folder: Path
    rows: int
    files: int

    @property
    def path(self) -> Path:
        return self.folder / f"rows-{self.rows}-{self.files}"

    @property
    def size(self) -> str:
        return f"{self.rows}/{self.files}"

    @property
    def rows_of_first(self) -> int:
        return -(-self.rows // self.files)


@dataclass(frozen=True)
class Run:
    """What one process took; `work_seconds` is what it printed, None if it printed nothing; `cpu_seconds` is of all its threads."""

    seconds: float
    work_seconds: float | None
    cpu_seconds: float
    peak_bytes: int


@dataclass
class Contender:
    """A program that scores shards into a folder, and what its runs took.

    Attributes:
        command: output folder -> module and arguments.
        engine: it has few rows and processes of its own, so its rate counts its work alone (its start-up is a gift to it), and its
            memory and its cores' time are not known.
    """

    name: str
    command: Callable[[Path], list[str]]
    shards: Shards
    engine: bool = False
    runs: list[Run] = field(default_factory=list)


@dataclass(frozen=True)
class Workload:
    """What is to be done, by whom, and when two answers are the same.

    Attributes:
        contenders: the first is the one that the others are compared with.
        reference: whose answers the others must give.
        absent: engines that are not here, with the reason.
        prepare: makes what is read, where it is not there yet.
        extras: runs whose answers are not compared, such as one without rows.
        derived: what follows from the runs of all, for JSON and in a line each.
        before: done once before all, such as tuning; its figures.
        whole_answers: whether a row is the same in every size of input, and not only in the first file's.
    """

    name: str
    title: str
    contenders: Sequence[Contender]
    reference: str
    agreement: Agreement
    absent: Mapping[str, str]
    prepare: Callable[[], None]
    extras: Sequence[Contender] = ()
    derived: Callable[["Workload"], Figures] = lambda _: {}
    before: Callable[[], Figures] = dict
    whole_answers: bool = False

    def runs_of(self, name: str) -> list[Run]:
        """Runs of a contender or extra."""
        return next(c for c in (*self.contenders, *self.extras) if c.name == name).runs


def measure(contender: Contender, output: Path) -> Run:
    """Score into a fresh folder, in a fresh process.

    Raises:
        SystemExit: the process failed; the end of its output is shown.
    """
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    log = output.with_suffix(".log")
    # Where Python may not keep what it compiles, our modules alone would be compiled in every run.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with log.open("w") as file:
        command = [sys.executable, "-m", *contender.command(output)]
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text()
    if process.returncode != 0:
        last = "\n".join(text.splitlines()[-_SHOWN_LINES:])
        sys.exit(f"{contender.name} failed with exit status {process.returncode}:\n{last}")
    said = re.findall(r"^\s*seconds\s+([\d.]+)$", text, re.MULTILINE)
    peak_unit = 1 if sys.platform == "darwin" else 1024
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return Run(seconds, float(said[-1]) if said else None, cpu_seconds, usage.ru_maxrss * peak_unit)


def compare(workload: Workload, repeats: int, scratch: Path) -> dict[str, dict[str, float]]:
    """Run all, interleaved, and compare their answers with the reference's; return the worst figures of each."""
    figures: dict[str, dict[str, float]] = {}
    for repeat in range(repeats):
        for c in workload.contenders:
            c.runs.append(measure(c, scratch / c.name))
            say(f"  {workload.name}, repeat {repeat + 1}: {c.name} {c.runs[-1].seconds:.1f} s")
        for c in workload.contenders:
            found = _agreement_of(c, workload, scratch)
            figures[c.name] = workload.agreement.worst(figures.get(c.name, found), found)
        for extra in workload.extras:
            extra.runs.append(measure(extra, scratch / "extra"))
    return figures


def _agreement_of(contender: Contender, workload: Workload, scratch: Path) -> dict[str, float]:
    reference = next(c for c in workload.contenders if c.name == workload.reference)
    both = (reference.shards, contender.shards)
    compared = min(s.rows if workload.whole_answers else s.rows_of_first for s in both)
    folders = (scratch / reference.name, scratch / contender.name)
    return check_answers(
        *folders, contender.name, contender.shards.rows, compared, workload.agreement
    )


def ratios(contender: Contender, other: Contender) -> list[float]:
    """Rows per second of the one over those of the other, repeat by repeat: whole processes, but for an engine its work alone."""

    def rate(c: Contender, run: Run) -> float:
        return c.shards.rows / ((run.work_seconds or run.seconds) if c.engine else run.seconds)

    return [
        rate(contender, a) / rate(other, b) for a, b in zip(contender.runs, other.runs, strict=True)
    ]


def work_ratios(contender: Contender, other: Contender) -> list[float]:
    """The same without both programs' start-up."""
    pairs = zip(contender.runs, other.runs, strict=True)
    per_row = contender.shards.rows / other.shards.rows
    return [
        per_row * b.work_seconds / a.work_seconds
        for a, b in pairs
        if a.work_seconds and b.work_seconds
    ]


def report(
    contenders: Sequence[Contender], agreement: Mapping[str, Mapping[str, float]]
) -> dict[str, Figures]:
    """Medians and ranges of every contender, as JSON has them."""
    first = contenders[0]
    return {
        c.name: {
            "rows": c.shards.rows,
            "seconds": spread([r.seconds for r in c.runs]),
            "work_seconds": spread([r.work_seconds for r in c.runs if r.work_seconds is not None]),
            "cpu_seconds": None if c.engine else spread([r.cpu_seconds for r in c.runs]),
            "rows_per_second": spread([c.shards.rows / r.seconds for r in c.runs]),
            "work_rows_per_second": spread(
                [c.shards.rows / r.work_seconds for r in c.runs if r.work_seconds]
            ),
            "peak_mb": None if c.engine else spread([r.peak_bytes / 1e6 for r in c.runs]),
            "ratio": spread(ratios(first, c)) if c is not first else None,
            "work_ratio": spread(work_ratios(first, c)) if c is not first else None,
            "agreement": dict(agreement.get(c.name, {})),
        }
        for c in contenders
    }


def spread(values: Sequence[float]) -> list[float] | None:
    """Median, least and largest."""
    return [round(v, 4) for v in (median(values), min(values), max(values))] if values else None


def table(workload: Workload, summary: Mapping[str, Figures]) -> str:
    """The summary as text, `median (min..max)`, with what is absent and why."""
    first = workload.contenders[0].name
    columns = {
        "seconds": "seconds",
        "work s": "work_seconds",
        "CPU s": "cpu_seconds",
        "rows/s": "rows_per_second",
        "work rows/s": "work_rows_per_second",
        "peak MB": "peak_mb",
        f"{first} / it": "ratio",
        "work alone": "work_ratio",
    }
    lines = [["", "rows", *columns, f"agrees with {workload.reference}"]]
    for name, row in summary.items():
        cells = [shown(row[key]) for key in columns.values()]
        lines.append(
            [_named(workload, name), f"{row['rows']:,}", *cells, _agreed(row["agreement"])]
        )
    lines += [[name, "absent", *["-"] * (len(columns) + 1)] for name in workload.absent]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in lines
    ]
    if any(c.engine for c in workload.contenders):
        text.append("* few rows; the ratio counts its work alone, without its start-up")
    return "\n".join(
        [*text, *(f"{name} is absent: {why}" for name, why in workload.absent.items())]
    )


def shown(figures: object) -> str:
    """A median with its range."""
    if not isinstance(figures, list):
        return "-"
    digits = 0 if figures[0] >= 100 else 2 if figures[0] >= 0.1 else 4
    middle, low, high = (f"{value:,.{digits}f}" for value in figures)
    return f"{middle} ({low}..{high})"


def say(line: str) -> None:
    """Progress, which is not a result."""
    print(line, file=sys.stderr, flush=True)


def _named(workload: Workload, name: str) -> str:
    return f"{name}*" if any(c.engine for c in workload.contenders if c.name == name) else name


def _agreed(figures: object) -> str:
    assert isinstance(figures, dict)
    return ", ".join(f"{name} {value:.6g}" for name, value in figures.items()) or "-"
