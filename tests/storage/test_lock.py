"""Who lives holds the lock: told by the lock alone, by whoever looks, in whatever process it is (here in one, with locks of its own)."""

import errno
import os
from pathlib import Path
import threading
from types import SimpleNamespace

import pytest

from storage import lock, retries
from storage.lock import claim_if_free, hold, hold_name, keep_free
from storage.run_folder import RunFolder

SECONDS = 120.0


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(str(tmp_path), "run1")


def contents(run: RunFolder) -> str | None:
    with claim_if_free(run) as content:
        return content


def is_free(run: RunFolder) -> bool:
    with keep_free(run) as free:
        return free


def test_a_lock_is_held_while_the_block_runs_and_leaves_its_content(run: RunFolder) -> None:
    assert (contents(run), is_free(run)) == (None, True)
    with hold(run, "launcher 1"):
        assert (contents(run), is_free(run)) == (None, False)
    assert (contents(run), is_free(run)) == ("launcher 1", True)


def test_the_content_is_the_last_holders_whole_and_nothing_else(run: RunFolder) -> None:
    for content in ("a long one", "short", "z\u00fcrich", "x" * 60_000):
        with hold(run, content):
            assert Path(run.lock).read_text() == content
        assert contents(run) == content


def test_launchers_of_one_run_hold_it_together(run: RunFolder) -> None:
    with hold(run, "one"):
        with hold(run, "two"):
            assert not is_free(run)
        assert not is_free(run)
    assert is_free(run)


def test_an_error_in_the_block_gives_the_lock_up(run: RunFolder) -> None:
    with pytest.raises(KeyError), hold(run, "one"):
        raise KeyError
    assert contents(run) == "one"
    with pytest.raises(KeyError), claim_if_free(run):
        raise KeyError
    assert contents(run) == "one"


def test_a_free_lock_cannot_be_taken_while_somebody_looks_at_it(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that is: only a name is taken from its holder."""
    monkeypatch.setattr(lock, "_PATIENCE_SECONDS", 0.0)
    with hold(run, "first"):
        pass
    taken = threading.Event()

    def take() -> None:
        with hold(run, "second"):
            taken.set()

    thread = threading.Thread(target=take)
    with keep_free(run) as free:
        assert free
        thread.start()
        assert not taken.wait(0.2)
    assert taken.wait(SECONDS)
    thread.join(SECONDS)
    assert contents(run) == "second"


def test_who_waited_for_a_lock_that_was_removed_takes_a_new_one(run: RunFolder) -> None:
    """A cleaner looks at a lock that nobody holds, and removes the run's folder with it."""
    with hold(run, "first"):
        pass
    taken, look_again = threading.Event(), threading.Event()

    def take() -> None:
        with hold(run, "second"):
            taken.set()
            look_again.wait(SECONDS)

    thread = threading.Thread(target=take)
    with claim_if_free(run) as content:
        assert content == "first"
        thread.start()
        assert not taken.wait(0.2)
        os.unlink(run.lock)
        os.rmdir(run.temporary)
    assert taken.wait(SECONDS)
    assert not is_free(run)
    assert Path(run.lock).read_text() == "second"
    look_again.set()
    thread.join(SECONDS)


def test_who_waited_for_a_lock_that_was_replaced_takes_the_new_one(run: RunFolder) -> None:
    with hold(run, "first"):
        pass
    taken = threading.Event()

    def take() -> None:
        with hold(run, "second"):
            taken.set()

    thread = threading.Thread(target=take)
    with claim_if_free(run):
        thread.start()
        assert not taken.wait(0.2)
        os.rename(run.lock, f"{run.lock}.old")
        Path(run.lock).write_text("another")
    assert taken.wait(SECONDS)
    thread.join(SECONDS)
    assert Path(run.lock).read_text() == "second"
    assert Path(f"{run.lock}.old").read_text() == "first"


def test_a_name_is_taken_from_its_holder_once_patience_has_ended_and_no_sooner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]
    seen: list[tuple[float, bool]] = []

    def pause(_: float) -> None:
        seen.append((seconds[0], os.path.isdir(first)))
        seconds[0] += 1

    monkeypatch.setattr(lock, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    monkeypatch.setattr(retries, "pause", pause)
    # The first one is stopped, and the second waits its five seconds.
    with hold_name(str(tmp_path), "CURRENT") as first, hold_name(str(tmp_path), "CURRENT") as later:
        assert (os.path.exists(first), os.path.isdir(later)) == (False, True)
    assert seen == [(float(number), True) for number in range(6)]


def test_a_folder_that_is_removed_under_the_lock_is_made_again(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = os.open, [FileNotFoundError(errno.ENOENT, "gone")]

    def open_file(path: object, *arguments: int, **options: int) -> int:
        if str(path) == run.lock and failures:
            os.rmdir(run.temporary)
            raise failures.pop()
        # pytest removes the test's folder through this, too, on some Pythons by other arguments.
        return real(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(lock.os, "open", open_file)
    with hold(run, "one"):
        assert Path(run.lock).read_text() == "one"


def test_a_link_is_no_lock(run: RunFolder, tmp_path: Path) -> None:
    Path(run.temporary).mkdir(parents=True)
    Path(run.lock).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"), hold(run, "one"):
        pass
    assert contents(run) is None
    assert not (tmp_path / "elsewhere").exists()


def test_the_lock_is_for_owner_and_group(run: RunFolder) -> None:
    before = os.umask(0)
    try:
        with hold(run, "one"):
            assert Path(run.lock).stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)
