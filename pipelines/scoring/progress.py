"""How far a run is, from what its workers leave in storage: done-records and progress notes.

So it works for every runner.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import json
import threading
import time

from tqdm import tqdm

from configs.redaction import shown_with_class
from pipelines.cli.run_log import RunLog
from pipelines.cli.terminal import LenientStream
from storage import files
from storage.run_folder import RunFolder
from transforms.batches import WorkUnit
from transforms.output.progress_note import Note, parse_note

# A person watches a bar; a line stays in the log.
_TERMINAL_SECONDS = 0.5
_PLAIN_SECONDS = 10.0
# Looking takes at most an eleventh of the time.
_REST = 10.0


class RowsDone:
    """Rows that are stored, or on their way, by unit; every function looks again."""

    def __init__(
        self,
        run: RunFolder,
        units: Sequence[WorkUnit],
        since: float = 0.0,
    ) -> None:
        """Look at a run.

        Args:
            run: the run.
            units: those of its plan.
            since: seconds of the wall clock; notes from before are of an interrupted launch, whose
                units are scored again from their first row on.
        """
        self._run = run
        self._since = since
        self._planned = {unit.index: unit.rows for unit in units}
        self._finished: dict[int, int] = {}

    def count(self) -> int:
        """Return the rows done so far, of units that are finished and of those that are not."""
        return self.count_finished() + self.count_begun()

    def count_finished(self) -> int:
        """Return the rows of units that are finished: they are stored, and not scored again."""
        for name in files.list_names(self._run.done):
            # A record that is being written.
            if name.startswith("."):
                continue
            unit = int(name.split(".")[0])
            if unit not in self._finished:
                self._finished[unit] = self._count_finished(unit)
        # A copy, as a signal's handler may look at the same time.
        return sum(list(self._finished.values()))

    def count_begun(self) -> int:
        """Return the rows done of units that are not finished: they are lost if the run ends now."""
        latest: dict[int, Note] = {}
        folder = self._run.progress
        for name in files.list_names(folder):
            unit = int(name.split("-")[0])
            if unit in self._finished:
                continue
            note = parse_note(files.read(files.join(folder, name)))
            if note is None or note.written < self._since:
                continue
            before = latest.get(unit, note)
            # Of several attempts at a unit, the one that goes on: the others failed.
            latest[unit] = max(before, note, key=_rank_note)
        return sum(note.rows for note in latest.values())

    def describe_left(self) -> str:
        """Return what an interruption costs, in words: bounds, as workers go on until they end."""
        stored = self.count_finished()
        again = self.count_begun()
        counts = self._planned.values()
        of = ""
        if None not in counts:
            total = sum(count or 0 for count in counts)
            of = f" of {total:,}"
        return (
            f"at least {stored:,}{of} rows are stored and stay; "
            f"at most about {again:,} that were scored will be scored again"
        )

    def _count_finished(self, unit: int) -> int:
        rows = self._planned.get(unit)
        if rows is not None:
            return rows
        # Of a CSV file only its record tells.
        url = self._run.done_record(unit)
        content = files.read(url)
        if not content:
            return 0
        record = json.loads(content)
        return int(record["rows_in"])


def _rank_note(note: Note) -> tuple[float, int]:
    return (note.written, note.rows)


@contextmanager
def shown_progress(
    rows_done: RowsDone,
    total: int | None,
    log: RunLog,
) -> Iterator[None]:
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
    show = _show_lines
    if log.stderr.isatty() and not log.json:
        show = _show_bar

    def show_while_possible() -> None:
        try:
            show(rows_done, total, log, stop)
        except Exception as error:  # noqa: BLE001 - the run goes on, whatever cannot be looked at
            reason = shown_with_class(error)
            log.tell_trouble("progress_not_shown", f"progress is not shown any more: {reason}")

    # A daemon: a store that does not answer must not keep the process alive.
    thread = threading.Thread(target=show_while_possible, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _show_bar(
    rows_done: RowsDone,
    total: int | None,
    log: RunLog,
    stop: threading.Event,
) -> None:
    start = rows_done.count()
    with tqdm(
        total=total,
        initial=start,
        unit=" rows",
        unit_scale=True,
        desc="scoring",
        # Drawn into what may be lost, as a terminal that is closed.
        file=LenientStream(log.stderr),
        dynamic_ncols=True,
    ) as bar:
        for done in _look_again(rows_done, stop, _TERMINAL_SECONDS):
            # Fewer than before: an attempt failed, and its note is gone.
            bar.update(max(0, done - bar.n))


def _show_lines(
    rows_done: RowsDone,
    total: int | None,
    log: RunLog,
    stop: threading.Event,
) -> None:
    # Of this launch alone: an interrupted run's rows are there from the start.
    start = rows_done.count()
    began = time.monotonic()
    for done in _look_again(rows_done, stop, _PLAIN_SECONDS):
        seconds = time.monotonic() - began
        rate = (done - start) / seconds
        message = f"scoring: {_describe(done, total, rate)}"
        log.tell_progress(message, done, rate)


def _describe(done: int, total: int | None, rate: float) -> str:
    of = ""
    left = ""
    if total is not None:
        of = f" of {total:,}"
    # Before the first row is done nobody can tell.
    if total is not None and rate > 0:
        seconds = (total - done) / rate
        left = f", {seconds:,.0f} s left"
    return f"{done:,}{of} rows, {rate:,.0f} rows/s{left}"


def _look_again(
    rows_done: RowsDone,
    stop: threading.Event,
    seconds: float,
) -> Iterator[int]:
    """Yield the rows done, again and again until the end.

    A store that takes long to list many records is asked less often.
    """
    pause = seconds
    while not stop.wait(pause):
        began = time.monotonic()
        done = rows_done.count()
        took = time.monotonic() - began
        pause = max(seconds, _REST * took)
        yield done
