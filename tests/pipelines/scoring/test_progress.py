"""How far a run is, counted from what its workers leave, and how that is shown on a terminal and in a log."""

import io
from pathlib import Path
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.cli.run_log import RunLog
from pipelines.scoring import progress
from pipelines.scoring.progress import RowsDone, shown_progress
from storage.run_folder import RunFolder
from tests.pipelines.json_lines import lines_of
from tests.support.builders import make_unit

# Of the units 2 and 3, as of a CSV file, only reading tells the rows.
UNITS = tuple(make_unit(n, rows) for n, rows in enumerate([10, 20, None, None, 50]))


@pytest.mark.parametrize(
    ("done", "notes", "rows"),
    [
        ({}, {}, 0),
        ({"0000000.json": "{}", "0000001.json": ""}, {}, 30),  # as planned, whatever they say
        ({"0000002.json": '{"rows_in": 7}'}, {}, 7),
        ({"0000003.json": ""}, {}, 0),  # torn
        ({".0000004.json-x": "{}"}, {}, 0),  # being written
        ({}, {"0000000-abc": "4", "0000004-abc": "5"}, 9),
        ({}, {"0000000-abc": "4", "0000000-def": "6", "0000000-ghi": "5"}, 6),  # three attempts
        ({"0000000.json": "{}"}, {"0000000-abc": "4"}, 10),  # finished meanwhile
        ({}, {"0000000-abc": "0", "0000001-abc": "", "0000004-abc": "\0\0"}, 0),
        ({}, {"0000001-abc": "x", "0000004-abc": "3"}, 3),
    ],
)
def test_rows_are_counted_from_records_and_notes(
    done: dict[str, str], notes: dict[str, str], rows: int, tmp_path: Path
) -> None:
    run = RunFolder(str(tmp_path), "r1")
    for folder, files in ((run.done, done), (run.progress, notes)):
        Path(folder).mkdir(parents=True)
        for name, content in files.items():
            (Path(folder) / name).write_text(content)
    rows_done = RowsDone(run, UNITS)
    assert [rows_done.count() for _ in range(2)] == [rows, rows]


def test_rows_are_counted_anew_at_every_look(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path), "r1")
    rows_done = RowsDone(run, UNITS)
    assert rows_done.count() == 0
    for folder in (run.done, run.progress):
        Path(folder).mkdir(parents=True)
    note = Path(run.progress) / "0000004-abc"
    note.write_text("8")
    assert rows_done.count() == 8
    Path(run.done_record(2)).write_text('{"rows_in": 7}')
    assert rows_done.count() == 15
    note.unlink()
    assert rows_done.count() == 7


def test_notes_of_an_interrupted_launch_do_not_count_and_the_latest_attempt_does(
    tmp_path: Path,
) -> None:
    run = RunFolder(str(tmp_path), "r1")
    for folder in (run.done, run.progress):
        Path(folder).mkdir(parents=True)
    Path(run.done_record(0)).write_text("{}")
    notes = {
        "0000000-abc": "4 107.5",  # of a unit that is finished
        "0000001-abc": "19 99.9",  # of the launch before this one
        "0000004-abc": "40 101.0",  # of an attempt that failed
        "0000004-def": "7 105.0",
        "0000003-abc": "3 half",
    }
    for name, content in notes.items():
        (Path(run.progress) / name).write_text(content)
    rows_done = RowsDone(run, UNITS, since=100.0)
    assert rows_done.count_finished() == 10
    assert rows_done.count_begun() == 7
    assert rows_done.count() == 17
    # Of CSV nobody knows how many there will be.
    assert rows_done.describe_left() == (
        "at least 10 rows are stored and stay; "
        "at most about 7 that were scored will be scored again"
    )
    of_known = RowsDone(run, UNITS[:2], since=100.0)
    assert of_known.describe_left().startswith(
        "at least 10 of 30 rows are stored and stay; at most about 7 "
    )


def test_a_shard_without_rows_adds_none_to_what_is_left(tmp_path: Path) -> None:
    units = (make_unit(0, 0), make_unit(1, 5))
    left = RowsDone(RunFolder(str(tmp_path), "r1"), units).describe_left()
    assert left.startswith("at least 0 of 5 rows are stored")


@pytest.mark.parametrize(("written", "rows"), [("99.5", 0), ("100.0", 4), ("100.5", 4)])
def test_a_note_of_the_moment_in_which_a_launch_began_is_its_own(
    written: str, rows: int, tmp_path: Path
) -> None:
    run = RunFolder(str(tmp_path), "r1")
    Path(run.progress).mkdir(parents=True)
    (Path(run.progress) / "0000000-abc").write_text(f"4 {written}")
    assert RowsDone(run, UNITS, since=100.0).count_begun() == rows


class Stop:
    """Stands in for the event that ends the looking: it comes after some waits, which it notes."""

    def __init__(self, waits: int) -> None:
        self.left = waits
        self.seconds: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.seconds.append(seconds)
        self.left -= 1
        return self.left < 0


class Counts:
    """Stands in for the rows done, which takes some seconds of a clock for each look."""

    def __init__(self, rows: list[int], took: list[float] | None = None) -> None:
        self.rows, self.took, self.now = list(rows), list(took or []), 0.0

    def count(self) -> int:
        self.now += self.took.pop(0) if self.took else 0.0
        return self.rows.pop(0)

    def monotonic(self) -> float:
        return self.now


def show(
    how: str, counts: Counts, total: int | None, log: RunLog, patch: pytest.MonkeyPatch
) -> list[float]:
    """Show these counts, and return the seconds between the looks."""
    patch.setattr(progress, "time", counts)
    stop = Stop(len(counts.rows) - 1)
    wait = stop.wait

    def wait_and_go_on(seconds: float) -> bool:
        counts.now += seconds
        return wait(seconds)

    shown: Any = getattr(progress, how)
    shown(counts, total, log, SimpleNamespace(wait=wait_and_go_on))
    return stop.seconds


def test_a_line_comes_every_10_seconds_and_rows_of_before_are_in_no_rate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = Counts([100, 120, 120, 160])
    assert show("_show_lines", counts, 1_000, RunLog(), monkeypatch) == [10.0] * 4
    assert capsys.readouterr().err.splitlines() == [
        "scoring: 120 of 1,000 rows, 2 rows/s, 440 s left",
        "scoring: 120 of 1,000 rows, 1 rows/s, 880 s left",
        "scoring: 160 of 1,000 rows, 2 rows/s, 420 s left",
    ]


@pytest.mark.parametrize(
    ("done", "total", "line"),
    [
        (0, 1_000, "0 of 1,000 rows, 0 rows/s"),  # before the first row is done nobody can tell
        (5, 1_000, "5 of 1,000 rows, 0 rows/s, 1,990 s left"),
        (20_000, None, "20,000 rows, 2,000 rows/s"),
        (0, None, "0 rows, 0 rows/s"),
        (10, 10, "10 of 10 rows, 1 rows/s, 0 s left"),
        (20, 20, "20 of 20 rows, 2 rows/s, 0 s left"),
    ],
)
def test_the_time_that_is_left_is_told_where_it_can_be(
    done: int,
    total: int | None,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    show("_show_lines", Counts([0, done]), total, RunLog(), monkeypatch)
    assert capsys.readouterr().err == f"scoring: {line}\n"


def test_a_store_that_takes_long_to_look_into_is_asked_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Looking takes at most an eleventh of the time."""
    counts = Counts([0, 0, 0, 0], took=[9.0, 0.5, 3.0, 1.0])
    assert show("_show_lines", counts, None, RunLog(quiet=True), monkeypatch) == [10.0, 10.0, 30.0, 10.0]  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_every_half_second_and_never_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An attempt that failed takes its note with it."""
    log = RunLog(terminal=Terminal())
    counts = Counts([1_000, 1_500, 1_200, 1_500, 1_500])
    assert show("_show_bar", counts, 2_000, log, monkeypatch) == [0.5] * 5
    last = log.terminal.getvalue().rpartition("\r")[2]  # type: ignore[union-attr]
    assert "scoring:  75%" in last
    assert "1.50k/2.00k" in last


def test_a_bar_stands_where_rows_are_as_many_or_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    log = RunLog(terminal=Terminal())
    show("_show_bar", Counts([0, 15, 12, 15, 15, 15]), 20, log, monkeypatch)
    last = log.terminal.getvalue().rpartition("\r")[2]  # type: ignore[union-attr]
    assert "15.0/20.0" in last


@pytest.mark.parametrize(
    ("is_terminal", "is_json", "is_quiet", "shown"),
    [
        (True, False, False, "bar"),
        (False, False, False, "lines"),
        (True, True, False, "json"),
        (False, True, False, "json"),
        (True, False, True, ""),
        (True, True, True, ""),
    ],
)
def test_people_at_a_terminal_see_a_bar_and_all_others_lines(
    is_terminal: bool, is_json: bool, is_quiet: bool, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_PLAIN_SECONDS", "_TERMINAL_SECONDS"):
        monkeypatch.setattr(progress, name, 0.001)
    stream = Terminal() if is_terminal else io.StringIO()
    log = RunLog(json=is_json, quiet=is_quiet, terminal=stream)
    looked, threads = threading.Event(), []

    def count() -> int:
        threads.append(threading.current_thread())
        if len(threads) > 3:
            looked.set()
        return 10 * len(threads)

    rows_done: Any = SimpleNamespace(count=count)
    with shown_progress(rows_done, 1_000_000, log):
        assert is_quiet or looked.wait(60)
    said = stream.getvalue()
    assert ("\r" in said) is (shown == "bar")
    assert said.startswith("scoring: 20 of 1,000,000 rows, ") is (shown == "lines")
    if shown == "json":
        assert lines_of(said)[0]["event"] == "progress"
    assert (said == "") is is_quiet
    assert all(thread.daemon for thread in threads), "a store that hangs keeps no process"
    assert not any(thread.is_alive() for thread in threads)
