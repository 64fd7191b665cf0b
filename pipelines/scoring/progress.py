"""How far a run is, from what its workers leave in storage: done-records and progress notes.

So it works for every runner.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import json
import threading
import time

from tqdm import tqdm

from pipelines.cli.run_log import RunLog
from storage import files
from storage.layout import RunFolder
from transforms.batches import WorkUnit

# A person watches a bar; a line stays in the log.
_TERMINAL_SECONDS = 0.5
_PLAIN_SECONDS = 10.0
# Looking takes at most an eleventh of the time.
_REST = 10.0


class RowsDone:
    """Rows that are stored, or on their way, by unit; `count` looks again."""

    def __init__(self, run: RunFolder, units: tuple[WorkUnit, ...]) -> None:
        self._run = run
        self._planned = {unit.index: unit.rows for unit in units}
        self._finished: dict[int, int] = {}

    def count(self) -> int:
        """Return the rows done so far."""
        for name in files.list_names(self._run.done):
            # A record that is being written.
            if name.startswith("."):
                continue
            unit = int(name.split(".")[0])
            if unit not in self._finished:
                self._finished[unit] = self._count_finished(unit)
        finished, on_their_way = self._finished.values(), self._count_on_their_way().values()
        return sum(finished) + sum(on_their_way)

    def _count_finished(self, unit: int) -> int:
        rows = self._planned.get(unit)
        if rows is not None:
            return rows
        # Of a CSV file only its record tells.
        content = files.read(self._run.done_record(unit))
        return int(json.loads(content)["rows_in"]) if content else 0

    def _count_on_their_way(self) -> dict[int, int]:
        """Return the rows of units that are not finished, by unit."""
        rows: dict[int, int] = {}
        for name in files.list_names(self._run.progress):
            unit = int(name.split("-")[0])
            if unit in self._finished:
                continue
            content = files.read(files.join(self._run.progress, name))
            # Several attempts at a unit do not add up; a note may be half written, or zeros where
            # the machine crashed.
            if content and content.isdigit():
                rows[unit] = max(rows.get(unit, 0), int(content))
        return rows


@contextmanager
def shown_progress(rows_done: RowsDone, total: int | None, log: RunLog) -> Iterator[None]:
    """Show how far a run is while the block runs.

    On a terminal a bar with rows, rows/s and time left, elsewhere lines of the log, nothing when it
    is quiet.

    Args:
        rows_done: what looks.
        total: rows of the run; None when only reading tells.
        log: where to show it.
    """
    if log.quiet:
        yield
        return
    stop = threading.Event()
    show = _show_bar if log.stderr.isatty() and not log.json else _show_lines
    # A daemon: a store that does not answer must not keep the process alive.
    thread = threading.Thread(target=show, args=(rows_done, total, log, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _show_bar(rows_done: RowsDone, total: int | None, log: RunLog, stop: threading.Event) -> None:
    start = rows_done.count()
    with tqdm(
        total=total,
        initial=start,
        unit=" rows",
        unit_scale=True,
        desc="scoring",
        file=log.stderr,
        dynamic_ncols=True,
    ) as bar:
        for done in _look_again(rows_done, stop, _TERMINAL_SECONDS):
            # Fewer than before: an attempt failed, and its note is gone.
            bar.update(max(0, done - bar.n))


def _show_lines(rows_done: RowsDone, total: int | None, log: RunLog, stop: threading.Event) -> None:
    start, began = rows_done.count(), time.monotonic()
    for done in _look_again(rows_done, stop, _PLAIN_SECONDS):
        rate = (done - start) / (time.monotonic() - began)
        message = f"scoring: {_describe(done, total, rate)}"
        log.tell_progress(message, done, rate)


def _describe(done: int, total: int | None, rate: float) -> str:
    of, left = "", ""
    if total is not None:
        of = f" of {total:,}"
        if rate > 0:
            left = f", {(total - done) / rate:,.0f} s left"
    return f"{done:,}{of} rows, {rate:,.0f} rows/s{left}"


def _look_again(rows_done: RowsDone, stop: threading.Event, seconds: float) -> Iterator[int]:
    """Yield the rows done, again and again until the end.

    A store that takes long to list many records is asked less often.
    """
    took = 0.0
    while not stop.wait(max(seconds, _REST * took)):
        began = time.monotonic()
        done = rows_done.count()
        took = time.monotonic() - began
        yield done
