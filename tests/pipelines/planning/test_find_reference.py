"""With which runs a run is compared: the current one, the last ones, or those of the dates before; `test_score_monitor.py` scores them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.planning import find_reference
from pipelines.planning.find_reference import (
    _compare_with,
    _count_rows,
    _find_last,
    _find_previous,
    _list_earlier_dates,
)
from storage.run_folder import RunFolder

TIMES = {"r1": "2026-05-01", "r2": "2026-05-02", "r3": "2026-05-03"}


@pytest.mark.parametrize(
    ("output", "earlier"),
    [
        ("date=2026-05-03", ["date=2026-05-02", "date=2026-05-01"]),
        ("date=2026-05-03/", ["date=2026-05-02", "date=2026-05-01"]),
        ("date=2026-05-01", []),
        # Of another column, or of none.
        ("dt=2026-05-03", ["dt=2026-04-30"]),
        ("scores", []),
    ],
)
def test_dates_before_are_the_folders_beside_it_the_latest_first(
    output: str, earlier: list[str], tmp_path: Path
) -> None:
    for name in ("date=2026-05-01", "date=2026-05-02", "date=2026-05-04", "dt=2026-04-30", "other"):
        (tmp_path / name).mkdir()
    found = list(_list_earlier_dates(f"{tmp_path}/{output}"))
    assert found == [f"{tmp_path}/{name}" for name in earlier]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Outputs of three dates and one of none; which run is current in each is the content of a file."""
    current = {"date=1": "r1", "date=2": "r2", "scores": "r3"}
    for output in (*current, "date=3", "empty"):
        (tmp_path / output).mkdir()

    def find_current(output: str) -> str | None:
        return current.get(Path(output).name)

    def read(output: str, run_id: str) -> Any:
        return RunFolder(output, run_id), {"published_at": TIMES[run_id]}

    monkeypatch.setattr(find_reference, "find_current_run", find_current)
    monkeypatch.setattr(find_reference, "read_manifest", read)
    monkeypatch.setattr(find_reference, "is_published", lambda run: run.run_id != "torn")
    return tmp_path


def find_previous(world: Path, output: str, run_id: str = "new") -> list[str]:
    return [found.run.run_id for found in _find_previous(RunFolder(str(world / output), run_id))]


@pytest.mark.parametrize(
    ("output", "run_id", "found"),
    [
        ("scores", "new", ["r3"]),
        # A run is not compared with itself.
        ("scores", "r3", []),
        ("empty", "new", []),
        ("date=3", "new", ["r2"]),
        ("date=2", "new", ["r2"]),
        ("date=2", "r2", ["r1"]),
        ("date=1", "r1", []),
    ],
)
def test_the_previous_run_is_the_current_one_or_that_of_the_date_before(
    output: str, run_id: str, found: list[str], world: Path
) -> None:
    assert find_previous(world, output, run_id) == found


@pytest.mark.parametrize(
    ("output", "count", "found"),
    [
        ("date=3", 1, ["r2"]),
        ("date=3", 2, ["r2", "r1"]),
        ("date=3", 9, ["r2", "r1"]),
        # Without dates before it, those of the output itself, the latest first.
        ("scores", 1, ["r2"]),
        ("scores", 9, ["r2", "r1"]),
        ("empty", 2, []),
    ],
)
def test_the_last_runs_are_those_of_the_dates_before_or_of_the_output(
    output: str, count: int, found: list[str], world: Path
) -> None:
    for name in ("r1", "r2", "r3", "torn"):
        (world / "scores/runs" / name).mkdir(parents=True)
    runs = _find_last(RunFolder(str(world / output), "r3"), count)
    assert [published.run.run_id for published in runs] == found


def test_rows_that_a_filter_left_out_were_compared_with_nothing() -> None:
    assert _count_rows({"rows": {"in": 100}}) == 100
    assert _count_rows({"rows": {"in": 100, "left_out": 30}}) == 70


def test_without_a_run_there_is_nothing_to_compare_with() -> None:
    found = _compare_with("previous", "previous", [], "scores")
    assert (found.head.kind, found.head.runs, found.profile.num_rows) == ("none", (), 0)
    assert found.head.notes == (
        "compared with nothing, as no other run of scores is published yet",
    )


@pytest.mark.parametrize(("count", "word"), [(1, "run"), (2, "runs")])
def test_runs_without_a_profile_are_told(count: int, word: str) -> None:
    runs: Any = [
        find_reference._PublishedRun(RunFolder("scores", f"r{number}"), {"rows": {"in": 1_000}})
        for number in range(count)
    ]
    head = _compare_with("last 2", "last", runs, "scores").head
    assert len(head.notes) == count
    assert head.notes[0] == "run r0 has no profile, so its columns are not compared"
    assert head.says.startswith(f"{word} r0")
    assert head.says.endswith(f"({count},000 rows)")
    assert head.volumes == (1_000,) * count


@pytest.fixture
def _finders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to find a reference gives its own name."""
    monkeypatch.setattr(find_reference, "_read_frozen", lambda run: None)
    monkeypatch.setattr(find_reference, "_find_training", lambda *_: "training")
    monkeypatch.setattr(find_reference, "_read_file", lambda path: path)
    monkeypatch.setattr(find_reference, "_find_last", lambda run, count: [count])
    monkeypatch.setattr(find_reference, "_find_previous", lambda run: [])
    monkeypatch.setattr(find_reference, "read_manifest", lambda *names: (names, {}))
    monkeypatch.setattr(
        find_reference, "_compare_with", lambda asked, kind, runs, output: (kind, len(runs))
    )


def find(asked: str) -> Any:
    package: Any = None
    return find_reference.find_reference(asked, RunFolder("scores", "new"), package, {})


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("training", "training"),
        ("profiles/p.parquet", "profiles/p.parquet"),
        ("last 7", ("last", 1)),
        ("previous", ("previous", 0)),
        ("0123456789abcdef", ("run", 1)),
    ],
)
@pytest.mark.usefixtures("_finders")
def test_what_is_asked_says_where_it_is_looked_for(asked: str, found: Any) -> None:
    assert find(asked) == found


@pytest.mark.usefixtures("_finders")
def test_what_an_interrupted_launch_has_found_stands_for_the_same_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    standing = SimpleNamespace(head=SimpleNamespace(asked="previous"))
    monkeypatch.setattr(find_reference, "_read_frozen", lambda run: standing)
    assert find("previous") is standing
    assert find("training") == "training"


@pytest.mark.parametrize("content", [None, b"{", b""])
def test_what_a_crash_left_torn_is_found_anew(content: bytes | None, tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path), "r1")
    if content is not None:
        Path(run.reference).parent.mkdir(parents=True)
        Path(run.reference).write_bytes(content)
    assert find_reference._read_frozen(run) is None
