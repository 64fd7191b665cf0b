"""How far a run is, from what its workers leave in storage, so that it works for every runner: done-records and progress notes."""

from collections.abc import Iterator
from contextlib import contextmanager
import json
import threading
import time

from tqdm import tqdm

from pipelines.run_log import RunLog
from storage import files
from storage.layout import RunFolder
from transforms.batches import WorkUnit

_TERMINAL_SECONDS = 0.5
_PLAIN_SECONDS = 10.0
_REST = 10.0


class RowsDone:
    """Rows that are stored, or on their way, by unit; `count` looks again."""

    def __init__(self, run: RunFolder, units: tuple[WorkUnit, ...]) -> None:
        self._run = run
        self._planned = {unit.index: unit.rows for unit in units}
        self._finished: dict[int, int] = {}

    def count(self) -> int:
        """Rows done so far."""
        for name in files.names_in(self._run.done):
            if name.startswith("."):
                continue
            unit = int(name.split(".")[0])
            if unit not in self._finished:
                self._finished[unit] = self._rows_of(unit)
        return sum(self._finished.values()) + sum(self._on_their_way().values())

    def _rows_of(self, unit: int) -> int:
        rows = self._planned.get(unit)
        if rows is not None:
            return rows
        content = files.read(self._run.done_record(unit))
        return int(json.loads(content)["rows_in"]) if content else 0

    def _on_their_way(self) -> dict[int, int]:
        rows: dict[int, int] = {}
        for name in files.names_in(self._run.progress):
            unit = int(name.split("-")[0])
            if unit not in self._finished and (content := files.read(files.join(self._run.progress, name))):
                rows[unit] = max(rows.get(unit, 0), int(content))
        return rows


@contextmanager
def shown_progress(rows_done: RowsDone, total: int | None, log: RunLog) -> Iterator[None]:
    """While the block runs: a bar with rows, rows/s and time left on a terminal, lines of the log elsewhere, nothing when it is quiet."""
    if log.quiet:
        yield
        return
    stop = threading.Event()
    show = _bar if log.stderr.isatty() and not log.json else _lines
    thread = threading.Thread(target=show, args=(rows_done, total, log, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _bar(rows_done: RowsDone, total: int | None, log: RunLog, stop: threading.Event) -> None:
    start = rows_done.count()
    with tqdm(
        total=total, initial=start, unit=" rows", unit_scale=True, desc="scoring", file=log.stderr, dynamic_ncols=True
    ) as bar:
        for done in _looks(rows_done, stop, _TERMINAL_SECONDS):
            bar.update(max(0, done - bar.n))


def _lines(rows_done: RowsDone, total: int | None, log: RunLog, stop: threading.Event) -> None:
    start, began = rows_done.count(), time.monotonic()
    for done in _looks(rows_done, stop, _PLAIN_SECONDS):
        rate = (done - start) / (time.monotonic() - began)
        of = f" of {total:,}" if total is not None else ""
        left = f", {(total - done) / rate:,.0f} s left" if total is not None and rate > 0 else ""
        log.progress(f"scoring: {done:,}{of} rows, {rate:,.0f} rows/s{left}", done, rate)


def _looks(rows_done: RowsDone, stop: threading.Event, seconds: float) -> Iterator[int]:
    """The rows done, again and again until the end; a store that takes long to list many records is asked less often."""
    took = 0.0
    while not stop.wait(max(seconds, _REST * took)):
        began = time.monotonic()
        done = rows_done.count()
        took = time.monotonic() - began
        yield done
