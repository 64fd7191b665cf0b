"""CURRENT goes where the latest plan says, whoever comes last; a loop over what was asked tells where."""

from datetime import UTC, datetime, timedelta
import os
from pathlib import Path
import threading
from typing import Any
import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import pytest

from storage import current, disk, files, lock, stamped
from storage.current import make_current, take_plan_time
from storage.layout import find_current_run
from storage.run_folder import RunFolder

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def published(output: object, run_id: str) -> RunFolder:
    run = RunFolder(str(output), run_id)
    files.make_folder(run.scored)
    files.create(run.manifest, b"{}")
    return run


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None
)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), min_size=1, max_size=8))
def test_the_latest_plan_decides_in_whatever_order_they_come(
    tmp_path: Path, moves: list[tuple[str, int]]
) -> None:
    output = tmp_path / uuid.uuid4().hex
    leader, decided = "", -1
    for run_id, planned in moves:
        newer = make_current(published(output, run_id), at(planned))
        stays = planned < decided and run_id != leader
        assert newer == (leader if stays else None)
        leader, decided = (leader if stays else run_id), max(planned, decided)
        assert find_current_run(str(output)) == leader
        assert os.readlink(output / "current") == f"runs/{leader}/scored"
    assert sorted(os.listdir(output)) == ["CURRENT", "current", "runs"]


def test_the_time_is_that_of_the_plan_and_the_content_only_the_id(tmp_path: Path) -> None:
    make_current(published(tmp_path, "one"), at(0.000001))
    assert (tmp_path / "CURRENT").read_bytes() == b"one\n"
    seconds = int(NOON.timestamp())
    assert (tmp_path / "CURRENT").stat().st_mtime_ns == seconds * 10**9 + 1000
    assert stamped.read(f"{tmp_path}/CURRENT") == stamped.Stamped(b"one\n", at(0.000001), "")


def test_what_is_written_by_hand_is_decided_then(tmp_path: Path) -> None:
    older, newer = published(tmp_path, "older"), published(tmp_path, "newer")
    make_current(newer, at(0))
    began = datetime.now(UTC)
    (tmp_path / "CURRENT").write_text("older\n")
    assert make_current(newer, began - timedelta(hours=1)) == "older"
    assert find_current_run(str(tmp_path)) == "older"
    assert os.readlink(tmp_path / "current") == "runs/older/scored"
    assert make_current(newer, take_plan_time(str(tmp_path))) is None
    assert make_current(older, began) == "newer"


@pytest.mark.parametrize("content", [b"", b"gone\n", b"..\n", b"\xff\xfe", b"\0" * 17])
def test_readers_that_have_nothing_to_stay_with_are_led_on(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "CURRENT").write_bytes(content)
    assert make_current(published(tmp_path, "one"), at(0)) is None
    assert (tmp_path / "CURRENT").read_text() == "one\n"
    assert (tmp_path / "current").resolve() == tmp_path / "runs/one/scored"


@pytest.mark.parametrize("manifest", ["_manifest.json", "manifest.json"])
@pytest.mark.parametrize("stray", [None, "scored/part-9.parquet"])
def test_the_link_leads_to_the_parts_of_an_earlier_version(
    manifest: str, stray: str | None, tmp_path: Path
) -> None:
    run = RunFolder(str(tmp_path), "one")
    names = [manifest, "part-0.parquet"]
    for name in names if stray is None else [*names, stray]:
        files.create(f"{run.published}/{name}", b"{}")
    make_current(run, at(0))
    assert os.readlink(tmp_path / "current") == "runs/one"
    make_current(published(tmp_path, "two"), at(1))
    make_current(run, at(2))
    assert os.readlink(tmp_path / "current") == "runs/one"


def test_a_plan_is_later_than_what_decided_current_whatever_the_clocks_say(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    assert before <= take_plan_time(str(tmp_path)) <= datetime.now(UTC)
    make_current(published(tmp_path, "one"), at(0))
    assert before <= take_plan_time(str(tmp_path)) <= datetime.now(UTC)
    far = datetime(2190, 1, 1, tzinfo=UTC)
    make_current(published(tmp_path, "two"), far)
    assert take_plan_time(str(tmp_path)) == far + timedelta(microseconds=1)


def test_a_current_that_stands_is_durable_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who replaced it may have failed to make it so."""
    run = published(tmp_path, "one")
    make_current(run, at(0))
    synced = list[str]()
    monkeypatch.setattr(
        os, "fsync", lambda number: synced.append(os.readlink(f"/proc/self/fd/{number}"))
    )
    make_current(run, at(0))
    assert synced == [str(tmp_path)]


@pytest.mark.parametrize("place", ["disk", "memory"])
def test_launchers_that_end_at_one_moment(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each looks before any of them replaces, as often as they are let: the latest plan leads in the end."""
    output = str(tmp_path) if place == "disk" else f"memory://{uuid.uuid4().hex}"
    runs = [published(output, f"run-{number}") for number in range(8)]
    read, together = stamped.read, threading.Barrier(8)

    def read_together(url: str) -> Any:
        found = read(url)
        if place == "memory" and found is None:
            together.wait(60)
        return found

    monkeypatch.setattr(stamped, "read", read_together)
    later = datetime.now(UTC) + timedelta(days=1)
    threads = [
        threading.Thread(target=make_current, args=(run, later + timedelta(seconds=number)))
        for number, run in enumerate(runs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    monkeypatch.undo()
    assert find_current_run(output) == "run-7"
    assert not (tmp_path / ".CURRENT.lock").exists()


def test_a_lock_that_a_killed_launcher_left_is_free(tmp_path: Path) -> None:
    (tmp_path / ".CURRENT.lock").touch()
    assert make_current(published(tmp_path, "one"), at(0)) is None
    assert not (tmp_path / ".CURRENT.lock").exists()


@pytest.mark.parametrize("step", ["open_new", "symlink", "replace"])
def test_a_holder_that_was_stopped_loses_the_lock_and_replaces_nothing(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read CURRENT, and goes on once a newer run has taken the lock, moved it, and let go."""
    older, newer = published(tmp_path, "older"), published(tmp_path, "newer")
    monkeypatch.setattr(lock, "_PATIENCE_SECONDS", 0.0)
    module: Any = disk if step == "open_new" else os
    real = getattr(module, step)

    def stop(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(module, step, real)
        assert make_current(newer, at(1)) is None
        return real(*arguments, **named)

    monkeypatch.setattr(module, step, stop)
    assert make_current(older, at(0)) == "newer"
    assert find_current_run(str(tmp_path)) == "newer"
    assert os.readlink(tmp_path / "current") == "runs/newer/scored"
    assert sorted(os.listdir(tmp_path)) == ["CURRENT", "current", "runs"]


def test_what_a_killed_holder_left_goes(tmp_path: Path) -> None:
    (tmp_path / ".CURRENT.12345").mkdir()
    (tmp_path / ".CURRENT.12345/.CURRENT.abc").touch()
    assert make_current(published(tmp_path, "one"), at(0)) is None
    assert sorted(os.listdir(tmp_path)) == ["CURRENT", "current", "runs"]


def test_a_store_whose_condition_is_never_met_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamped, "replace", lambda *arguments, **named: False)
    with pytest.raises(OSError, match="again and again"):
        make_current(published(tmp_path, "one"), at(0))
    assert current._ATTEMPTS > 10
