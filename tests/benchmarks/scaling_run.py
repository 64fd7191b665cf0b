"""One run of the scoring program in a process of its own, watched from outside: seconds, memory, and when its files appeared.

The phases of a run are told apart by the files of storage/layout.py, and not by clocks inside the program:

    start ... runs/<run_id>/ appears: parts are chosen ... _manifest.json appears: files are moved ... end: cleaned up
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import json
import os
from pathlib import Path
import subprocess
import sys
import time

import psutil
import yaml

ROOT = Path(__file__).parents[2]
_LOOK_SECONDS = 0.01
_MEMORY_SECONDS = 0.25
_SHOWN_LINES = 20


@dataclass(frozen=True)
class Run:
    """What one process took. Times count from its start; None where the file never appeared.

    Attributes:
        cpu_seconds: of the process and its children, all threads together; a busy machine changes them less.
        peak_bytes: of the process, or of it and its children together where that is more (looked at four times a second).
        chosen_seconds: when the run's folder appeared, so that files could be moved into it.
        manifest_seconds: when the manifest appeared.
        worker_rate: rows per second of the workers together, from their first row to their last, as the manifest says.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    chosen_seconds: float | None
    manifest_seconds: float | None
    worker_rate: float | None = None

    def phases(self) -> dict[str, float] | None:
        """Seconds until parts were chosen, of moving files and writing the manifest, and of the rest; None if nothing was published."""
        if self.chosen_seconds is None or self.manifest_seconds is None:
            return None
        moved = self.manifest_seconds - self.chosen_seconds
        return {
            "chosen_seconds": self.chosen_seconds,
            "moved_seconds": moved,
            "cleaned_seconds": self.seconds - self.manifest_seconds,
        }


def write_job(
    config: Path,
    inputs: Path | str,
    package: Path,
    output: Path | str,
    rows_per_file: int | None = None,
) -> Path:
    """Write the job of all measurements, and return where it stands.

    Args:
        config: where it is written.
        inputs, output: folders, or URLs of them.
        package: the model package.
        rows_per_file: of an output file, at most, and so of a unit; None for the program's default.
    """
    sink: dict[str, str | int] = {"path": str(output)}
    if rows_per_file is not None:
        sink["rows_per_file"] = rows_per_file
    job = {
        "name": "scaling",
        "source": {"paths": f"{inputs}/*.parquet", "format": "parquet", "key": "id"},
        "model": {"package": str(package), "device": "cpu", "dtype": "float32"},
        "postprocess": {"keep": ["probability"]},
        "sink": sink,
    }
    config.write_text(yaml.safe_dump(job, sort_keys=False))
    return config


def score(
    config: Path, output: Path | str, *flags: str, environment: Mapping[str, str] | None = None
) -> Run:
    """Run the program as a person calls it, with more environment variables if need be, and watch it.

    Raises:
        SystemExit: it failed; the end of its output is shown.
    """
    command = [
        sys.executable,
        "-m",
        "pipelines.score",
        "--runner=DirectRunner",
        f"--config={config}",
        *flags,
    ]
    log = config.with_suffix(".log")
    with log.open("w") as file:
        watch = _Watch(Path(output))
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        try:
            run = watch.until_end_of(process)
        finally:
            process.kill()
    if process.returncode != 0:
        said = "\n".join(log.read_text().splitlines()[-_SHOWN_LINES:])
        sys.exit(f"{' '.join(command)} failed with exit status {process.returncode}:\n{said}")
    return replace(run, worker_rate=_worker_rate(Path(output)))


def _worker_rate(output: Path) -> float | None:
    """None without a manifest on this machine, and where there were no rows."""
    rates = [
        json.loads(path.read_text())["rows_per_second"]
        for path in output.glob("runs/*/_manifest.json")
    ]
    return rates[0] or None if rates else None


def make(*arguments: str) -> str:
    """Run tests.benchmarks.scaling_data, and return what it printed."""
    command = [sys.executable, "-m", "tests.benchmarks.scaling_data", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


class _Watch:
    """Looks at a process and at the run folder below an output until the process ends."""

    def __init__(self, output: Path) -> None:
        self._runs = output / "runs"
        self._published_before = any(self._runs.glob("*/_manifest.json"))
        self._began = time.perf_counter()
        self._chosen: float | None = None
        self._manifest: float | None = None
        self._peak_bytes = 0
        self._next_memory = 0.0

    def until_end_of(self, process: subprocess.Popen[bytes]) -> Run:
        watched = psutil.Process(process.pid)
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            now = time.perf_counter() - self._began
            self._look(now)
            if ended:
                break
            if now >= self._next_memory:
                self._next_memory = now + _MEMORY_SECONDS
                self._peak_bytes = max(self._peak_bytes, _tree_bytes(watched))
            time.sleep(_LOOK_SECONDS)
        process.returncode = os.waitstatus_to_exitcode(status)
        own_peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return Run(
            now,
            usage.ru_utime + usage.ru_stime,
            max(own_peak, self._peak_bytes),
            self._chosen,
            self._manifest,
        )

    def _look(self, now: float) -> None:
        if self._published_before or self._manifest is not None or not self._runs.exists():
            return
        for folder in self._runs.iterdir():
            self._chosen = now if self._chosen is None else self._chosen
            if (folder / "_manifest.json").exists():
                self._manifest = now


def _tree_bytes(process: psutil.Process) -> int:
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.NoSuchProcess:  # it ended while we counted; the next look counts again
        return 0
    return total


def spread(values: Sequence[float]) -> list[float]:
    """Median, least and largest."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return [round(v, 4) for v in (median, ordered[0], ordered[-1])]
